import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    outDir: "../server/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
