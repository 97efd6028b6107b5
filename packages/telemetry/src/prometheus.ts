export { PROMETHEUS_CONTENT_TYPE, PrometheusMetrics, type PrometheusOptions } from './prometheus-metrics.js';
