import { Buffer } from 'node:buffer';

/** Returns the Redis Cluster slot of a key: CRC16 (XMODEM) of its hash tag, or of the whole key. */
export function slotOf(key: string): number {
	const open = key.indexOf('{');
	const close = open === -1 ? -1 : key.indexOf('}', open + 1);
	const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
	let crc = 0;
	for (const byte of Buffer.from(hashed)) {
		crc ^= byte << 8;
		for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
	}
	return crc & 0x3fff;
}
