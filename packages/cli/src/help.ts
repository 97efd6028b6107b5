/** What `--help` shows: it fits a screen of 24 lines and 80 columns. */
export const HELP = `Usage: holdfast <command> [--store STORE] [--url URL] [options]

  doctor                    find what is wrong, and how to repair it
  sessions list             list sessions (--principal P, --status S, --limit N)
  sessions show SESSION     client, subscriptions and sizes of state of one
  sessions end SESSION      end it on every node; its clients get 404
  sessions suspend SESSION  free what nodes hold of it; its next request resumes
  people export PRINCIPAL   what is stored of a person (--conversations)
  people erase PRINCIPAL    end and erase it on every node (--yes)
  nodes                     the nodes that announce themselves
  console                   pages in a browser (--port N, --actions end,suspend)
  conversations list        or show, export, repair, erase ID (--conversations)
  migrate                   bring the store up to date (--print: show the SQL)

  --store STORE             redis://…, postgres://… or a SQLite file
  --url URL                 the endpoint through the balancer: https://host/mcp
  --schema, --listen-url, --key-prefix, --max-sessions  as the servers have them
  --watch-ms N              how long doctor watches a stream (default 65000)
  --json, --config FILE     nothing but JSON; default holdfast.config.json
  --by NAME, --reason TEXT  who and why, for the audit (--audit-log FILE)

SESSION is a session's id or its short hash. Flags win over HOLDFAST_STORE and
the like, and those over the file. The endpoint's token is HOLDFAST_TOKEN.
Exit: 0 fine, 1 findings, 2 usage, 3 unreachable.
`;
