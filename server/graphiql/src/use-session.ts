import { useSyncExternalStore } from "react";
import { Session, type SessionState } from "./session";

/** The page's one session. */
export const session = new Session();

/** What the session says now; the component follows its changes. */
export function useSession(): SessionState {
  return useSyncExternalStore(session.subscribe, session.state);
}
