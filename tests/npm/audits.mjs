// Prints what every audit of graphql-http says of the server at the URL, one JSON object a line.
import { serverAudits } from "graphql-http";

const url = process.argv[2];
for (const audit of serverAudits({ url, fetchFn: fetch })) {
  const { status, reason } = await audit.fn();
  console.log(JSON.stringify({ id: audit.id, name: audit.name, status, reason }));
}
