/** What GraphiQL runs its operations through. */
import type { Fetcher, FetcherParams, SyncFetcherResult } from "@graphiql/toolkit";
import { type ExecutionResult, getOperationAST } from "graphql";
import { createClient } from "graphql-ws";
import { type Answer, ask, endpoint, ServerProblem } from "./server";
import type { Session } from "./session";

export function createFetcher(session: Session): Fetcher {
  return (params, options) => {
    const operation = options?.documentAST && getOperationAST(options.documentAST, params.operationName);
    return operation?.operation === "subscription" ? (listen(session, params) as SyncFetcherResult) : run(session, params);
  };
}

/** Runs a query or mutation as the viewer. What is wrong with the server stands in the result and on the page. */
async function run(session: Session, params: FetcherParams): Promise<ExecutionResult> {
  try {
    const answer = await askAsViewer(session, params);
    session.report(null);
    return answer as ExecutionResult;
  } catch (problem) {
    if (!(problem instanceof ServerProblem)) {
      throw problem;
    }
    session.report(problem.message);
    return (problem.answer ?? failure(problem.message)) as ExecutionResult;
  }
}

async function askAsViewer(session: Session, params: FetcherParams): Promise<Answer> {
  const token = await session.token();
  try {
    return (await ask(params, token)).answer;
  } catch (problem) {
    if (!(problem instanceof ServerProblem && problem.status === 401 && token !== null)) {
      throw problem;
    }
    // The token may have ended early, as when this machine slept; a renewed one shows whether the session holds.
    await session.renew();
    const renewed = await session.token();
    if (renewed === null || renewed === token) {
      throw problem;
    }
    return (await ask(params, renewed)).answer;
  }
}

interface Observer {
  next(result: ExecutionResult): void;
  complete(): void;
}

/** Opens a socket for one subscription and closes it with that. */
function listen(session: Session, params: FetcherParams) {
  return {
    subscribe(observer: Observer) {
      const url = new URL(endpoint);
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      const client = createClient({
        url: url.href,
        retryAttempts: 0,
        connectionParams: async () => {
          const token = await session.token();
          return token === null ? {} : { authorization: `Bearer ${token}` };
        },
      });
      const end = client.subscribe(
        { query: params.query, operationName: params.operationName ?? null, variables: params.variables },
        {
          next: (result) => observer.next(result as ExecutionResult),
          error: (cause) => {
            forget();
            observer.next(failureOf(cause) as ExecutionResult);
            observer.complete();
          },
          complete: () => {
            forget();
            observer.complete();
          },
        },
      );
      const unsubscribe = () => {
        forget();
        end();
        void client.dispose();
      };
      // The server ends it with the session; the page that is being left does not wait for that.
      const forget = session.subscribe(() => {
        if (session.state().viewer === null) {
          unsubscribe();
        }
      });
      return { unsubscribe };
    },
  };
}

function failure(message: string): Answer {
  return { errors: [{ message }] };
}

/** A subscription ends with the server's GraphQL errors or with the code that closed the socket. */
function failureOf(cause: unknown): Answer {
  if (Array.isArray(cause)) {
    return { errors: cause };
  }
  if (cause instanceof CloseEvent) {
    const reason = cause.reason === "" ? "" : `: ${cause.reason}`;
    return failure(
      cause.code === 1006
        ? `The server at ${location.host} closed the socket or does not answer.`
        : `The server closed the socket (${cause.code}${reason}).`,
    );
  }
  return failure(cause instanceof Error ? cause.message : "The subscription failed.");
}
