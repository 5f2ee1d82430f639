/** Questions to the server, and in plain words what is wrong when it does not answer as GraphQL. */

/** GraphQL is answered where this page came from, whatever address or proxy stands before it. */
export const endpoint = new URL(location.pathname, location.origin);

export interface Question {
  query: string;
  variables?: Record<string, unknown> | undefined;
  operationName?: string | null | undefined;
}

export interface Answer {
  data?: Record<string, unknown> | null;
  errors?: readonly { message: string }[];
}

/** The server refused the request as a whole or did not answer. Its message is for people. */
export class ServerProblem extends Error {
  override readonly name = "ServerProblem";

  constructor(
    message: string,
    /** The HTTP status; 0 when there was no answer. */
    readonly status: number,
    /** What the server said beside the status, where that was GraphQL. */
    readonly answer: Answer | null = null,
  ) {
    super(message);
  }
}

export interface Reply {
  readonly answer: Answer;
  /** When the server answered, by its own clock, in milliseconds. */
  readonly at: number;
}

/**
 * Posts one operation. Cookies stay at home: the page acts as whoever signed in on it, not as a front end's session.
 *
 * @throws {ServerProblem} for 401, 429, an answer that is not GraphQL, and no answer.
 */
export async function ask(question: Question, token: string | null): Promise<Reply> {
  const headers = new Headers({
    "Content-Type": "application/json",
    Accept: "application/graphql-response+json, application/json",
  });
  if (token !== null) {
    headers.set("Authorization", `Bearer ${token}`);
  }
  let response: Response;
  try {
    response = await fetch(endpoint, {
      method: "POST",
      headers,
      body: JSON.stringify(question),
      credentials: "omit",
      cache: "no-store",
      referrerPolicy: "no-referrer",
    });
  } catch {
    throw new ServerProblem(
      `The server at ${location.host} does not answer. Is it running, and is the network there?`,
      0,
    );
  }
  const answer = await graphqlAnswer(response);
  if (response.status === 401) {
    throw new ServerProblem(
      token === null
        ? "401: The server wants a sign-in."
        : "401: The server no longer accepts the session. Sign in again.",
      401,
      answer,
    );
  }
  if (response.status === 429) {
    const wait = response.headers.get("Retry-After");
    throw new ServerProblem(
      `429: Too many requests. ${wait === null ? "Try again later." : `Try again in ${wait} s.`}`,
      429,
      answer,
    );
  }
  if (answer === null) {
    throw new ServerProblem(
      `${response.status} ${response.statusText}: The answer is not GraphQL. Something before the server may have answered.`,
      response.status,
    );
  }
  return { answer, at: Date.parse(response.headers.get("Date") ?? "") || Date.now() };
}

async function graphqlAnswer(response: Response): Promise<Answer | null> {
  try {
    const body: unknown = await response.json();
    return typeof body === "object" && body !== null && ("data" in body || "errors" in body)
      ? (body as Answer)
      : null;
  } catch {
    return null;
  }
}
