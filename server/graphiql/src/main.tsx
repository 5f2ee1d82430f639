import "./nonce";
import "./workers";
import "./fonts.css";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./style.css";
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import { GraphiQL } from "graphiql";
import { useState } from "react";
import { createRoot } from "react-dom/client";
import { createFetcher } from "./fetcher";
import { firstOperation, hasRoomForPanel, READY_OPERATIONS } from "./ready-operations";
import { Bar } from "./sign-in";
import { storage } from "./storage";
import { session } from "./use-session";

const fetcher = createFetcher(session);
const plugins = [READY_OPERATIONS, HISTORY_PLUGIN];
const tabs = firstOperation ? [{ query: firstOperation.query, variables: firstOperation.variables }] : [];
const introspection = document.documentElement.dataset["introspection"] !== "off";

function Playground() {
  // Whoever signs out leaves no answer behind: GraphiQL begins anew, with the tabs as they are stored, without answers.
  const [visit, setVisit] = useState(0);
  return (
    <>
      <Bar
        onSignOut={() => setVisit(visit + 1)}
        notice={
          introspection
            ? null
            : "This server does not tell its schema: no documentation and no completion here. Operations run all the same."
        }
      />
      <main>
        <GraphiQL
          key={visit}
          fetcher={fetcher}
          plugins={plugins}
          defaultTabs={tabs}
          defaultEditorToolsVisibility="variables"
          isHeadersEditorEnabled={false}
          shouldPersistHeaders={false}
          showPersistHeadersSettings={false}
          storage={storage}
          inputValueDeprecation
          schemaDescription
          {...(hasRoomForPanel() && { visiblePlugin: READY_OPERATIONS })}
          {...(!introspection && { schema: null })}
        >
          <GraphiQL.Logo>
            <span />
          </GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}

const root = document.getElementById("playground");
if (root !== null) {
  createRoot(root).render(<Playground />);
}
