// Speaks graphql-transport-ws with the server at the URL as the reference client does, and prints what it hears.
//
// The token is in the environment (TOKEN), so that no process list shows it.
import { createClient } from "graphql-ws";

const heard = { events: [] };
const client = createClient({
  url: process.argv[2],
  connectionParams: { authorization: `Bearer ${process.env.TOKEN}` },
  lazy: false,
  onNonLazyError: () => undefined,
  retryAttempts: 0,
  on: {
    connected: () => heard.events.push("connected"),
    closed: (event) => heard.events.push(`closed ${event.code}`),
    pong: () => heard.events.push("pong"),
  },
  keepAlive: 30,
});

// Every result of an operation; an error of the request itself ends it.
async function all(payload, most = Infinity) {
  const results = [];
  try {
    for await (const result of client.iterate(payload)) {
      results.push(result);
      if (results.length >= most) break;
    }
  } catch (error) {
    results.push({ refused: error });
  }
  return results;
}

// For what the client tells by events alone.
async function until(condition) {
  for (let turn = 0; turn < 500 && !condition(); turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

heard.query = await all({ query: "{ who }" });
heard.together = await Promise.all([1, 2, 3].map((to) => all({ query: "subscription ($to: Int!) { count(to: $to) }", variables: { to } })));
heard.invalid = await all({ query: "{ nope }" });
heard.unparsed = await all({ query: "{" });
heard.failed = await all({ query: "{ crash }" });
heard.left = await all({ query: "subscription { count(to: 1000) }" }, 2);
await until(() => heard.events.includes("pong"));
heard.mutation = await all({ query: "mutation { signOut }" });
await until(() => heard.events.some((each) => each.startsWith("closed")));
await client.dispose();
console.log(JSON.stringify(heard));
