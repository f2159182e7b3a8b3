import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: { outDir: "../server/static", emptyOutDir: true, modulePreload: { polyfill: false } },
});
