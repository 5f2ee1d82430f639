// PostGraphile 5 on the tables as they are: row-level security holds the rule. Who asks is believed: x-viewer is a user's id.
//
// Environment: BENCH_DATABASE_URL (a role that the policies apply to), BENCH_PORT, BENCH_WORKERS.

import cluster from "node:cluster"
import { createServer } from "node:http"
import { grafserv } from "postgraphile/grafserv/node"
import { postgraphile } from "postgraphile"
import { makePgService } from "postgraphile/adaptors/pg"
import { PostGraphileAmberPreset } from "postgraphile/presets/amber"
import pg from "pg"

const { BENCH_DATABASE_URL, BENCH_PORT, BENCH_WORKERS = "1" } = process.env

async function serve() {
  const pool = new pg.Pool({ connectionString: BENCH_DATABASE_URL, max: 16, options: "-c TimeZone=UTC" })
  const { rows } = await pool.query("SELECT id, agency_id, activity_read_level, agents_log_read_level FROM rival_viewers()")
  const viewers = new Map(
    rows.map((row) => [
      row.id,
      {
        "bench.viewer": row.id,
        "bench.agency": row.agency_id,
        "bench.activity_level": row.activity_read_level,
        "bench.agents_log_level": row.agents_log_read_level,
      },
    ]),
  )
  const preset = {
    extends: [PostGraphileAmberPreset],
    // Else only columns that lead an index could be ordered by.
    disablePlugins: ["PgIndexBehaviorsPlugin"],
    pgServices: [makePgService({ pool, schemas: ["public"] })],
    grafserv: { graphqlPath: "/graphql", graphiql: false, websockets: false, watch: false, maxRequestLength: 100_000 },
    grafast: {
      explain: false,
      context: ({ node }) => ({ pgSettings: viewers.get(node.req.headers["x-viewer"]) }),
    },
  }
  const server = createServer()
  server.on("error", (error) => console.error(error))
  const instance = postgraphile(preset).createServ(grafserv)
  await instance.addTo(server)
  await instance.ready?.()
  server.listen(Number(BENCH_PORT), "127.0.0.1")
}

if (cluster.isPrimary && Number(BENCH_WORKERS) > 1) {
  for (let number = 0; number < Number(BENCH_WORKERS); number += 1) cluster.fork()
} else {
  await serve()
}
