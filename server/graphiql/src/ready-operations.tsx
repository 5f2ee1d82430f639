/** The panel with ready operations: one click opens one in a tab, with the ids that it needs. */
import { type GraphiQLPlugin, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useState } from "react";
import operations, { type ReadyOperation } from "ready-operations";
import { needsIds, withIds } from "./ids";
import { session, useSession } from "./use-session";

export const READY_OPERATIONS: GraphiQLPlugin = {
  title: "Ready operations",
  icon: ReadyOperationsIcon,
  content: ReadyOperations,
};

/** The tab that a first visit finds. */
export const firstOperation = operations[0];

/** On a narrow screen a panel covers the editor (style.css). */
export function hasRoomForPanel(): boolean {
  return window.matchMedia("(width >= 900px)").matches;
}

function ReadyOperations() {
  const { viewer } = useSession();
  const open = useOpen();
  const [hint, setHint] = useState("");

  async function choose(operation: ReadyOperation): Promise<void> {
    setHint("");
    const missing = await open(operation);
    if (missing) {
      setHint(
        viewer === null
          ? `“${operation.title}” needs ids: sign in and open it again, then they are filled in.`
          : `“${operation.title}” needs an id that ${viewer.name} cannot find. Its comment says where the id comes from.`,
      );
    }
  }

  return (
    <section aria-label="Ready operations" className="ready-operations">
      <h2>Ready operations</h2>
      <p className="ready-hint" role="status">
        {hint || (viewer === null ? "Sign in first, then open one and run it." : "Open one and run it.")}
      </p>
      <ul>
        {operations.map((operation) => (
          <li key={operation.name}>
            <button type="button" onClick={() => void choose(operation)} title={operation.description}>
              <span className="ready-title">{operation.title}</span>
              <span className={`ready-kind ready-${operation.kind}`}>{operation.kind}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Opens an operation in a tab, in the one where it stands already if there is one; true when ids are missing. */
function useOpen(): (operation: ReadyOperation) => Promise<boolean> {
  const actions = useGraphiQLActions();
  const { tabs, activeTabIndex, queryEditor, variableEditor } = useGraphiQL((state) => ({
    tabs: state.tabs,
    activeTabIndex: state.activeTabIndex,
    queryEditor: state.queryEditor,
    variableEditor: state.variableEditor,
  }));

  return async ({ query, variables }) => {
    let filled = variables;
    if (needsIds(variables)) {
      try {
        filled = await withIds(variables, session);
      } catch (problem) {
        session.report(problem instanceof Error ? problem.message : String(problem));
      }
    }
    actions.stop();
    const there = tabs.findIndex((tab) => tab.query === query);
    if (there >= 0) {
      if (there !== activeTabIndex) {
        actions.changeTab(there);
      }
    } else if (tabs[activeTabIndex]?.query) {
      actions.addTab();
    }
    queryEditor?.setValue(query);
    variableEditor?.setValue(filled);
    const missing = needsIds(filled);
    if (!missing && !hasRoomForPanel()) {
      actions.setVisiblePlugin(null);
    }
    return missing;
  };
}

function ReadyOperationsIcon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path d="M9 6h11M9 12h11M9 18h11" strokeLinecap="round" />
      <path d="m3 4.2 3 1.8-3 1.8zM3 10.2l3 1.8-3 1.8zM3 16.2l3 1.8-3 1.8z" strokeLinejoin="round" />
    </svg>
  );
}
