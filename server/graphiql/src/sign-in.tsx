/** The bar over GraphiQL: who is signed in, or the form to do so, and what is wrong with the server. */
import { type FormEvent, useRef, useState } from "react";
import icon from "./icon.svg";
import { session, useSession } from "./use-session";

const mark = new URL(icon, import.meta.url).href;

/** How a role reads in the bar. */
const ROLES: Readonly<Record<string, string>> = {
  USER: "user",
  ADMINISTRATOR: "administrator",
  ACCOUNT_MANAGER: "account manager",
};

interface BarProps {
  /** What people should know about this server; null for nothing. */
  readonly notice: string | null;
  /** Called when the viewer has signed out. */
  readonly onSignOut: () => void;
}

export function Bar({ notice, onSignOut }: BarProps) {
  const { viewer, problem } = useSession();

  function signOut(): void {
    void session.signOut();
    onSignOut();
  }

  return (
    <header className="bar">
      <div className="bar-line">
        <h1>
          <img src={mark} alt="" /> Postfach <span>GraphiQL</span>
        </h1>
        {viewer === null ? (
          <SignInForm />
        ) : (
          <div className="viewer">
            <p>
              Signed in as <strong>{viewer.name}</strong>{" "}
              <span className="viewer-detail">
                {viewer.login} · {ROLES[viewer.role] ?? viewer.role}
              </span>
            </p>
            <button type="button" onClick={signOut}>
              Sign out
            </button>
          </div>
        )}
      </div>
      {problem !== null && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {notice !== null && <p className="notice">{notice}</p>}
    </header>
  );
}

/** The fields stay with the browser; their values go to the server and into nothing else. */
function SignInForm() {
  const form = useRef<HTMLFormElement>(null);
  const [busy, setBusy] = useState(false);
  const [wantsNewPassword, setWantsNewPassword] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const text = (name: string): string => String(fields.get(name) ?? "");
    setBusy(true);
    session.report(null);
    const refusal = await session.signIn(
      text("login").trim(),
      text("password"),
      wantsNewPassword ? text("newPassword") : null,
    );
    setBusy(false);
    if (refusal === null) {
      return;
    }
    session.report(refusal.message);
    if (refusal.code === "PASSWORD_CHANGE_REQUIRED") {
      setWantsNewPassword(true);
    } else if (refusal.code === "UNAUTHENTICATED") {
      const password = form.current?.elements.namedItem("password");
      if (password instanceof HTMLInputElement) {
        password.value = "";
        password.focus();
      }
    }
  }

  return (
    <form ref={form} className="sign-in" aria-label="Sign in" onSubmit={(event) => void submit(event)}>
      <label>
        Login
        <input
          name="login"
          inputMode="email"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          placeholder="name@agency.example"
          required
        />
      </label>
      <label>
        Password
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      {wantsNewPassword && (
        <label>
          New password
          <input
            name="newPassword"
            type="password"
            autoComplete="new-password"
            placeholder="12 to 128 characters"
            autoFocus
            required
          />
        </label>
      )}
      <button type="submit" disabled={busy}>
        {busy ? "Signing in …" : "Sign in"}
      </button>
    </form>
  );
}
