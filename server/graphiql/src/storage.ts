/**
 * GraphiQL keeps tabs and history in the browser. Whoever types a password or a token into a tab shall not find it
 * there tomorrow: texts of secret names are blanked before anything is stored.
 */

/** A text argument or variable with a secret name, in GraphQL or JSON, closed or not. */
const SECRET =
  /("?\b\w*(?:password|token|authorization)\w*"?\s*:\s*)("""(?:[^"\\]|\\[\s\S]|"(?!""))*(?:""")?|"(?:[^"\\\n]|\\.)*"?)/gi;

const PREFIX = "graphiql:";
/** What is kept under these names is JSON around such texts; under the others it is one text. */
const LISTS = new Set(["tabState", "queries", "favorites"].map((name) => PREFIX + name));

/** The browser's storage for GraphiQL's `storage`, without secrets. */
export const storage = {
  getItem: (key: string) => localStorage.getItem(key),
  setItem: (key: string, value: string) => localStorage.setItem(key, withoutSecrets(key, value)),
  removeItem: (key: string) => localStorage.removeItem(key),
  clear: () => kept().forEach((key) => localStorage.removeItem(key)),
  get length() {
    return kept().length;
  },
};

function kept(): string[] {
  return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
}

function withoutSecrets(key: string, value: string): string {
  if (!LISTS.has(key)) {
    return blanked(value);
  }
  return JSON.stringify(JSON.parse(value), (_name, part: unknown) =>
    typeof part === "string" ? blanked(part) : part,
  );
}

function blanked(text: string): string {
  return text.replace(SECRET, '$1""');
}
