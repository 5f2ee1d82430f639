// Mercurius with its JIT, written as well as we can: two statements for a page, prepared; loaders for relations; ids and instants
// as our server has them. Who asks is believed: x-viewer is a user's id.
//
// Environment: BENCH_DATABASE_URL, BENCH_PORT, BENCH_PAGE (the statement that yields the entries of a page, with one more; $1 is the
// viewer, $2 and $3 the cursor, $4 the agency) and BENCH_PERMITS (the same as a condition on entry a for user u).

import cluster from "node:cluster"
import Fastify from "fastify"
import mercurius from "mercurius"
import postgres from "postgres"

const { BENCH_DATABASE_URL, BENCH_PORT, BENCH_PAGE, BENCH_PERMITS, BENCH_WORKERS = "1" } = process.env
const SIZE = 50

const instant = (text) => `${text.slice(0, 10)}T${text.slice(11, text.indexOf("+"))}Z`
const sql = postgres(BENCH_DATABASE_URL, {
  max: 16,
  connection: { TimeZone: "UTC" },
  types: { instant: { to: 1184, from: [1184], serialize: (value) => value, parse: instant } },
})
const query = (text, values) => sql.unsafe(text, values, { prepare: true })

const globalId = (kind, uuid) => Buffer.from(`0${kind}${uuid.replaceAll("-", "")}`, "hex").toString("base64url")
const cursorOf = (...values) => Buffer.from(JSON.stringify(values)).toString("base64url")
const uuidOf = (id) => {
  const hex = Buffer.from(id, "base64url").toString("hex").slice(2)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-")
}

const ENTRY = `a.id, a.kind, a.direction, a.mail_id, m.subject, m.preview, m.sender, m.message_id AS "messageId",
  m.mail_date AS "mailDate", a.occurred_at AS "occurredAt", a.guarded AS vip, a.contact_reference AS "contactReference",
  a.property_reference AS "propertyReference"`
const FEED = `SELECT ${ENTRY} FROM (${BENCH_PAGE}) a JOIN mails m ON m.id = a.mail_id
  WHERE (SELECT state FROM users WHERE id = $1) = 'ACTIVE' ORDER BY a.occurred_at DESC, a.id DESC`
const ACTIVITY = `SELECT ${ENTRY}, m.remark FROM activities a JOIN mails m ON m.id = a.mail_id JOIN users u ON u.id = $1
  WHERE a.id = $2 AND ${BENCH_PERMITS}`
const BOOKINGS = `SELECT b.mail_id, b.part, o.id AS mailbox_id, o.address, p.id AS user_id, p.first_name, p.last_name
  FROM bookings b JOIN mailboxes o ON o.id = b.mailbox_id LEFT JOIN users p ON p.id = b.user_id
  WHERE b.mail_id = ANY($1::uuid[]) ORDER BY b.decisive_at, o.address`
const MAILBOXES = `SELECT o.id, o.address, o.vip, o.active, u.role = 'ADMINISTRATOR' OR EXISTS (SELECT FROM assignments w
  WHERE w.mailbox_id = o.id AND w.user_id = u.id AND w.until IS NULL) AS readable
  FROM users u JOIN mailboxes o ON o.agency_id = u.agency_id WHERE u.id = $1 AND u.state = 'ACTIVE' ORDER BY o.address LIMIT ${SIZE + 1}`
const ASSIGNED = `SELECT s.mailbox_id, p.id, p.first_name AS "firstName", p.last_name AS "lastName" FROM assignments s
  JOIN users p ON p.id = s.user_id WHERE s.mailbox_id = ANY($1::uuid[]) AND s.until IS NULL ORDER BY p.fold_name, p.login`

const schema = `
  type Query { activities(first: Int, after: String): Activities! mailboxes(first: Int): Mailboxes! node(id: ID!): Node }
  interface Node { id: ID! }
  type Activities { nodes: [Activity!]! pageInfo: PageInfo! }
  type Mailboxes { nodes: [Mailbox!]! pageInfo: PageInfo! }
  type Users { nodes: [User!]! }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  enum Kind { ACTIVITY AGENTS_LOG }
  enum Direction { INCOMING OUTGOING INTERNAL }
  enum Part { SENDING RECEIVING }
  type Activity implements Node {
    id: ID! kind: Kind! direction: Direction! subject: String! preview: String! remark: String! sender: String!
    messageId: String! mailDate: String occurredAt: String! vip: Boolean! contactReference: String propertyReference: String
    bookings: [Booking!]!
  }
  type Booking { part: Part! mailbox: Mailbox! user: User }
  type Mailbox implements Node { id: ID! address: String! vip: Boolean! active: Boolean! assignedUsers: Users }
  type User implements Node { id: ID! firstName: String! lastName: String! }
`

const page = (rows, cursor) => {
  const nodes = rows.slice(0, SIZE)
  const last = nodes.at(-1)
  return { nodes, pageInfo: { hasNextPage: rows.length > SIZE, endCursor: last ? cursor(last) : null } }
}
const grouped = (rows, key) => {
  const found = new Map()
  for (const row of rows) {
    const group = found.get(row[key])
    if (group) group.push(row)
    else found.set(row[key], [row])
  }
  return found
}

const resolvers = {
  Query: {
    async activities(_, { after }, { viewer, agency }) {
      const place = after ? JSON.parse(Buffer.from(after, "base64url")) : ["9999-12-30T00:00:00Z", "00000000-0000-0000-0000-000000000000"]
      return page(await query(FEED, [viewer, ...place, agency]), (last) => cursorOf(last.occurredAt, last.id))
    },
    async mailboxes(_, __, { viewer }) {
      return page(await query(MAILBOXES, [viewer]), (last) => cursorOf(last.address))
    },
    async node(_, { id }, { viewer }) {
      return (await query(ACTIVITY, [viewer, uuidOf(id)]))[0] ?? null
    },
  },
  Node: { resolveType: () => "Activity" },
  Activity: { id: (row) => globalId(6, row.id) },
  Mailbox: { id: (row) => globalId(3, row.id) },
  User: { id: (row) => globalId(1, row.id) },
}

const loaders = {
  Activity: {
    bookings: {
      opts: { cache: false },
      async loader(queries) {
        const rows = await query(BOOKINGS, [queries.map(({ obj }) => obj.mail_id)])
        const found = grouped(rows, "mail_id")
        return queries.map(({ obj }) =>
          (found.get(obj.mail_id) ?? []).map((row) => ({
            part: row.part,
            mailbox: { id: row.mailbox_id, address: row.address },
            user: row.user_id && { id: row.user_id, firstName: row.first_name, lastName: row.last_name },
          })),
        )
      },
    },
  },
  Mailbox: {
    assignedUsers: {
      opts: { cache: false },
      async loader(queries) {
        const found = grouped(await query(ASSIGNED, [queries.map(({ obj }) => obj.id)]), "mailbox_id")
        return queries.map(({ obj }) => (obj.readable ? { nodes: found.get(obj.id) ?? [] } : null))
      },
    },
  },
}

async function serve() {
  const agencies = new Map((await query("SELECT id, agency_id FROM users", [])).map((row) => [row.id, row.agency_id]))
  const app = Fastify({ logger: false })
  app.register(mercurius, {
    schema,
    resolvers,
    loaders,
    jit: 1,
    context: (request) => {
      const viewer = request.headers["x-viewer"]
      return { viewer, agency: agencies.get(viewer) }
    },
  })
  await app.listen({ host: "127.0.0.1", port: Number(BENCH_PORT) })
}

if (cluster.isPrimary && Number(BENCH_WORKERS) > 1) {
  for (let number = 0; number < Number(BENCH_WORKERS); number += 1) cluster.fork()
} else {
  await serve()
}
