/** The editor's language services run in workers of our own host. */
const scripts: Readonly<Record<string, string>> = { json: WORKERS.json, graphql: WORKERS.graphql };

(globalThis as { MonacoEnvironment?: unknown }).MonacoEnvironment = {
  getWorker: (_id: string, language: string) =>
    new Worker(new URL(scripts[language] ?? WORKERS.editor, import.meta.url), { type: "module" }),
};
