/**
 * Who is signed in. The tokens live in this object and nowhere else: not in a tab, the history, any storage or the
 * address. Loading the page again forgets them.
 */
import { ask, type Question, ServerProblem } from "./server";

export interface Viewer {
  readonly name: string;
  readonly login: string;
  readonly role: string;
}

export interface SessionState {
  readonly viewer: Viewer | null;
  /** Why nobody is signed in any more, or what is wrong with the server; null when all is well. */
  readonly problem: string | null;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

interface Tokens {
  readonly access: string;
  readonly refresh: string;
  /** By this machine's clock, in milliseconds; what is used later than this is renewed first. */
  readonly renewAt: number;
}

interface SignInPayload {
  accessToken: string | null;
  refreshToken: string | null;
  expiresAt: string | null;
  viewer: Viewer | null;
  errors: readonly (Refusal & { retryAfter?: number })[];
}

const SIGN_IN_PAYLOAD = `{
  accessToken
  refreshToken
  expiresAt
  viewer { name login role }
  errors { code message ... on RateLimitedError { retryAfter } }
}`;

const SIGN_IN = `mutation SignIn($login: String!, $password: String!, $newPassword: String) {
  signIn(login: $login, password: $password, newPassword: $newPassword, session: BEARER) ${SIGN_IN_PAYLOAD}
}`;

const REFRESH = `mutation Refresh($refreshToken: String!) {
  refreshSession(refreshToken: $refreshToken) ${SIGN_IN_PAYLOAD}
}`;

const SIGN_OUT = "mutation SignOut { signOut { errors { code message } } }";

/** Renewed this long before the end, or at half time when the token holds shorter than twice that; milliseconds. */
const MARGIN = 60_000;
/** Until the next try when the server did not answer; milliseconds. */
const RETRY = 10_000;
/** The longest that a browser's timer waits; milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

export class Session {
  #tokens: Tokens | null = null;
  #renewal: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #state: SessionState = { viewer: null, problem: null };
  readonly #listeners = new Set<() => void>();

  /** Calls the listener after every change of `state`; the answer ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly state = (): SessionState => this.#state;

  /** Tells the page what is wrong, or with null that nothing is. */
  report(problem: string | null): void {
    if (problem !== this.#state.problem) {
      this.#change({ ...this.#state, problem });
    }
  }

  /** Signs in; null when that worked, else why not. */
  async signIn(login: string, password: string, newPassword: string | null): Promise<Refusal | null> {
    const variables = newPassword === null ? { login, password } : { login, password, newPassword };
    try {
      return await this.#trade({ query: SIGN_IN, variables, operationName: "SignIn" }, "signIn");
    } catch (problem) {
      return { code: "", message: messageOf(problem) };
    }
  }

  /** Ends the session here and, where it can be reached, on the server. */
  async signOut(): Promise<void> {
    const token = this.#tokens?.access ?? null;
    this.#forget(null);
    try {
      await ask({ query: SIGN_OUT, operationName: "SignOut" }, token);
    } catch (problem) {
      // 401: the server had ended the session already.
      if (!(problem instanceof ServerProblem && problem.status === 401)) {
        this.report(`You are signed out on this page only. ${messageOf(problem)}`);
      }
    }
  }

  /** An access token that holds now, renewed where it must be; null when nobody is signed in. */
  async token(): Promise<string | null> {
    if (this.#tokens !== null && Date.now() >= this.#tokens.renewAt) {
      await this.renew();
    }
    return this.#tokens?.access ?? null;
  }

  /** Trades the refresh token for a new pair; when that is refused, nobody is signed in afterwards. */
  async renew(): Promise<void> {
    this.#renewal ??= this.#renewOnce().finally(() => {
      this.#renewal = null;
    });
    await this.#renewal;
  }

  async #renewOnce(): Promise<void> {
    const old = this.#tokens;
    if (old === null) {
      return;
    }
    try {
      const question = { query: REFRESH, variables: { refreshToken: old.refresh }, operationName: "Refresh" };
      const refusal = await this.#trade(question, "refreshSession", old);
      if (refusal !== null && this.#tokens === old) {
        this.#notRenewed(refusal.code === "UNAUTHENTICATED", refusal.message);
      }
    } catch (problem) {
      if (this.#tokens === old) {
        this.#notRenewed(problem instanceof ServerProblem && problem.status === 401, messageOf(problem));
      }
    }
  }

  /** What is not refused for good, as when the server is away, is tried again. */
  #notRenewed(ended: boolean, message: string): void {
    if (ended) {
      this.#forget(`The session has ended. Sign in again. (${message})`);
    } else {
      this.report(message);
      this.#renewIn(RETRY);
    }
  }

  /** Asks for tokens and keeps them, unless the session that they renew is no longer the one on this page. */
  async #trade(question: Question, field: string, renewed?: Tokens): Promise<Refusal | null> {
    const { answer, at } = await ask(question, null);
    const payload = (answer.data?.[field] ?? null) as SignInPayload | null;
    if (payload?.accessToken && payload.refreshToken && payload.expiresAt && payload.viewer) {
      if (renewed === undefined || this.#tokens === renewed) {
        const lifetime = Math.max(0, Date.parse(payload.expiresAt) - at);
        const wait = Math.max(lifetime - MARGIN, lifetime / 2);
        this.#tokens = {
          access: payload.accessToken,
          refresh: payload.refreshToken,
          renewAt: Date.now() + wait,
        };
        this.#renewIn(wait);
        this.#change({ viewer: payload.viewer, problem: null });
      }
      return null;
    }
    const refusal = payload?.errors[0];
    if (refusal !== undefined) {
      const wait = refusal.retryAfter === undefined ? "" : ` Try again in ${refusal.retryAfter} s.`;
      return { code: refusal.code, message: refusal.message + wait };
    }
    return { code: "", message: answer.errors?.[0]?.message ?? "The server gave no tokens and no reason." };
  }

  #renewIn(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.renew(), Math.min(Math.max(wait, 1000), LONGEST_TIMER));
  }

  #forget(problem: string | null): void {
    clearTimeout(this.#timer);
    this.#tokens = null;
    this.#change({ viewer: null, problem });
  }

  #change(state: SessionState): void {
    this.#state = state;
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

function messageOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
