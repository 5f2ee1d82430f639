/**
 * Builds the page into dist/: index.html with places for what the server fills in, assets/ with hashed names and a
 * gzipped copy beside each file that gains by it, and the licences of everything that was packed.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = import.meta.dirname;
const dist = path.join(here, "dist");
const assets = path.join(dist, "assets");

/** Packages that bring no licence text, each with the one of the same publisher that does. */
const sharedLicences = {
  "@graphiql/plugin-doc-explorer": "graphiql",
  "@graphiql/plugin-history": "graphiql",
  "react-compiler-runtime": "react",
  "react-remove-scroll-bar": "react-remove-scroll",
};

const common = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  splitting: true,
  minify: true,
  metafile: true,
  legalComments: "none",
  target: "es2022",
  outdir: assets,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".svg": "file", ".ttf": "file", ".woff2": "file" },
  // GraphiQL asks for these by their old names, which lead to scripts that a bundle cannot take apart.
  alias: { "prettier/parser-babel": "prettier/plugins/babel", "prettier/parser-graphql": "prettier/plugins/graphql" },
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
};

await rm(dist, { recursive: true, force: true });
await mkdir(assets, { recursive: true });

const workerSources = {
  editor: "node_modules/monaco-editor/esm/vs/editor/editor.worker.js",
  json: "node_modules/monaco-editor/esm/vs/language/json/json.worker.js",
  graphql: "node_modules/monaco-graphql/esm/graphql.worker.js",
};
const workers = await build({ ...common, entryPoints: workerSources });
const page = await build({
  ...common,
  entryPoints: { page: "src/main.tsx" },
  plugins: [{ name: "ready-operations", setup: provideReadyOperations }],
  define: { ...common.define, WORKERS: JSON.stringify(workerNames(workers)) },
});

await dropSpareStyles(page);
const licences = await writeLicences([workers, page]);
await writePage(page, licences);
await compress();

/** The file that each worker's script became. */
function workerNames({ metafile }) {
  const built = new Map(
    Object.entries(metafile.outputs).map(([file, { entryPoint }]) => [entryPoint, path.basename(file)]),
  );
  return Object.fromEntries(Object.entries(workerSources).map(([name, source]) => [name, built.get(source)]));
}

/** Makes the import "ready-operations" the list of operations/, in the order of the files' numbers. */
function provideReadyOperations({ onResolve, onLoad }) {
  const folder = path.join(here, "operations");
  onResolve({ filter: /^ready-operations$/ }, () => ({ path: "operations", namespace: "ready-operations" }));
  onLoad({ filter: /./, namespace: "ready-operations" }, async () => {
    const files = (await readdir(folder)).sort();
    const operations = await Promise.all(
      files
        .filter((file) => file.endsWith(".graphql"))
        .map(async (file) => {
          const name = path.basename(file, ".graphql");
          const variables = `${name}.json`;
          return readyOperation(
            name,
            await readFile(path.join(folder, file), "utf8"),
            files.includes(variables) ? (await readFile(path.join(folder, variables), "utf8")).trim() : "",
          );
        }),
    );
    return { contents: JSON.stringify(operations), loader: "json" };
  });
}

function readyOperation(name, query, variables) {
  const comments = /^(?:#.*\n)+/.exec(query);
  const kind = /^(query|mutation|subscription)\b/m.exec(query);
  if (comments === null || kind === null) {
    throw new Error(`operations/${name}.graphql begins with no comment or has no operation`);
  }
  const [title, ...rest] = comments[0].trim().split("\n").map((line) => line.replace(/^#\s*/, ""));
  return { name: name.replace(/^\d+-/, ""), title, description: rest.join(" "), kind: kind[1], query, variables };
}

/** One text with the licences of all packages that are in the bundles; one without a licence stops the build. */
async function writeLicences(results) {
  const folders = new Set();
  for (const input of results.flatMap(({ metafile }) => Object.keys(metafile.inputs))) {
    const match = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input);
    if (match !== null) {
      folders.add(match[0]);
    }
  }
  const parts = await Promise.all([...folders].sort().map(licenceOf));
  const text = `What the GraphiQL page is built from, with the licences.\n\n${[...new Set(parts)].join("\n\n")}\n`;
  const name = `licences-${createHash("sha256").update(text).digest("hex").slice(0, 8).toUpperCase()}.txt`;
  await writeFile(path.join(assets, name), text);
  return name;
}

async function licenceOf(folder) {
  const { name, version, license } = JSON.parse(await readFile(path.join(here, folder, "package.json"), "utf8"));
  const files = (await readdir(path.join(here, folder)))
    .filter((file) => /^(licen[cs]e|copying|notice|thirdpartynotices)/i.test(file))
    .sort();
  const texts = await Promise.all(files.map((file) => readFile(path.join(here, folder, file), "utf8")));
  if (texts.length === 0) {
    const sibling = sharedLicences[name];
    if (sibling === undefined) {
      throw new Error(`${name} brings no licence text; name the package of its publisher that does`);
    }
    texts.push(`Under the licence of ${sibling}, which stands in this text.`);
  }
  return [`${"=".repeat(78)}\n${name} ${version} (${license})`, ...texts.map((text) => text.trim())].join("\n\n");
}

/** Fills in the names that the build decides. What the server decides stays: %NONCE% and %INTROSPECTION%. */
async function writePage({ metafile }, licences) {
  const files = Object.keys(metafile.outputs).map((file) => path.basename(file));
  const one = (pattern) => {
    const found = files.filter((file) => pattern.test(file));
    if (found.length !== 1) {
      throw new Error(`expected one file like ${pattern}, found ${found.join(", ") || "none"}`);
    }
    return `graphiql/assets/${found[0]}`;
  };
  const names = {
    "%SCRIPT%": one(/^page-.*\.js$/),
    "%STYLE%": one(/^page-.*\.css$/),
    "%ICON%": one(/^icon-.*\.svg$/),
    "%LICENCES%": `graphiql/assets/${licences}`,
  };
  const template = await readFile(path.join(here, "index.html"), "utf8");
  await writeFile(
    path.join(dist, "index.html"),
    template.replace(/%(?:SCRIPT|STYLE|ICON|LICENCES)%/g, (place) => names[place]),
  );
}

/** The page's style sheet has the styles of every script; those of scripts loaded later exist a second time. */
async function dropSpareStyles({ metafile }) {
  const styles = Object.keys(metafile.outputs).filter((file) => file.endsWith(".css"));
  await Promise.all(
    styles
      .filter((file) => !path.basename(file).startsWith("page-"))
      .map((file) => rm(path.join(here, file))),
  );
}

async function compress() {
  for (const file of await readdir(assets)) {
    const content = await readFile(path.join(assets, file));
    const packed = gzipSync(content, { level: 9 });
    if (packed.length < content.length * 0.9) {
      await writeFile(path.join(assets, `${file}.gz`), packed);
    }
  }
}
