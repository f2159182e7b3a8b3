import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Packages whose code or files are in the built dashboard. */
const SHIPPED = ["lit", "@fontsource-variable/inter"];

/** Put the licences of what is shipped beside it. */
function licences(): Plugin {
  return {
    name: "licences",
    generateBundle() {
      const texts = SHIPPED.map(
        (name) => `${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf-8")}`,
      );
      this.emitFile({ type: "asset", fileName: "licences.txt", source: texts.join("\n\n") });
    },
  };
}

/** Modules that ask the server for what a page needs first. */
const EARLY = /src\/(boot|route|session)\.ts$/;

/** Run those before the rest has been read. */
function early(): Plugin {
  return {
    name: "early",
    transformIndexHtml: {
      order: "post",
      handler: (_, { bundle }) =>
        Object.values(bundle ?? {})
          .filter((part) => part.type === "chunk" && part.name === "boot")
          .map(({ fileName }) => ({
            tag: "script",
            attrs: { type: "module", async: true, src: `./${fileName}` },
            injectTo: "head-prepend" as const,
          })),
    },
  };
}

/** Put a compressed copy beside what compresses well, for servers to send as it is. */
function compressed(): Plugin {
  return {
    name: "compressed",
    writeBundle({ dir = "" }, bundle) {
      for (const fileName of Object.keys(bundle)) {
        if (!/\.(js|css)$/.test(fileName)) continue;
        const path = `${dir}/${fileName}`;
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [licences(), early(), compressed()],
  build: {
    outDir: "../server/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: { manualChunks: (id) => (EARLY.test(id) ? "boot" : undefined) },
    },
  },
});
