/**
 * Ids are random, so a ready operation cannot bring them. Its variables say "id of …" instead, and the page asks the
 * server for those ids when a signed-in viewer opens the operation.
 */
import { ask } from "./server";
import type { Session } from "./session";

const PLACEHOLDER = /"id of ([^"]*)"/g;

/** How an id is found: the words after "id of", the operation that has it, and where its answer holds it. */
const LOOKUPS: readonly (readonly [subject: RegExp, query: string, path: readonly string[]])[] = [
  [/^mailbox (\S+)$/, "query Find($key: String!) { mailbox(address: $key) { id } }", ["mailbox", "id"]],
  [
    /^user (\S+)$/,
    "query Find($key: String!) { users(search: $key, first: 1) { nodes { id } } }",
    ["users", "nodes", "0", "id"],
  ],
  [
    /^agency (.+)$/,
    "query Find($key: String!) { agencies(search: $key, first: 1) { nodes { id } } }",
    ["agencies", "nodes", "0", "id"],
  ],
  [
    /^the (newest) activity$/,
    "query Find { activities(first: 1) { nodes { id } } }",
    ["activities", "nodes", "0", "id"],
  ],
];

export function needsIds(variables: string): boolean {
  return variables.search(PLACEHOLDER) !== -1;
}

/** The variables with ids in place of what asks for them; what the viewer cannot find stays as it is. */
export async function withIds(variables: string, session: Session): Promise<string> {
  const token = await session.token();
  if (token === null) {
    return variables;
  }
  const subjects = new Set([...variables.matchAll(PLACEHOLDER)].map((match) => match[1] ?? ""));
  const ids = new Map(
    await Promise.all(
      [...subjects].map(async (subject) => [subject, await findId(subject, token)] as const),
    ),
  );
  return variables.replace(PLACEHOLDER, (placeholder, subject: string) => {
    const id = ids.get(subject);
    return id === undefined ? placeholder : JSON.stringify(id);
  });
}

async function findId(subject: string, token: string): Promise<string | undefined> {
  for (const [pattern, query, path] of LOOKUPS) {
    const key = pattern.exec(subject)?.[1];
    if (key !== undefined) {
      const { answer } = await ask({ query, variables: { key }, operationName: "Find" }, token);
      const id = path.reduce<unknown>((value, step) => (value as Record<string, unknown> | null)?.[step], answer.data);
      return typeof id === "string" ? id : undefined;
    }
  }
  return undefined;
}
