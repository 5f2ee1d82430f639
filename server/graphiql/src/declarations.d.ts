/** What the build puts in: see build.mjs. */

declare module "ready-operations" {
  export interface ReadyOperation {
    /** The file's name without number and ending. */
    readonly name: string;
    /** Its first comment line. */
    readonly title: string;
    /** Its other comment lines before the operation, as one text. */
    readonly description: string;
    readonly kind: "query" | "mutation" | "subscription";
    /** The whole file, comments too. */
    readonly query: string;
    /** The JSON file beside it, or the empty string. */
    readonly variables: string;
  }
  const operations: readonly ReadyOperation[];
  export default operations;
}

/** File names of the workers, which lie beside the scripts. */
declare const WORKERS: Readonly<Record<"editor" | "json" | "graphql", string>>;

declare module "*.css";

/** A file's name beside the scripts. */
declare module "*.svg" {
  const name: string;
  export default name;
}
