import { defineConfig } from 'vite';

/** The browser half of the tests: one script that a test puts into a page of the server's own origin. */
export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  logLevel: 'warn',
  build: {
    outDir: '../.dist',
    emptyOutDir: true,
    minify: false,
    target: 'es2022',
    chunkSizeWarningLimit: 2000,
    lib: { entry: 'main.ts', formats: ['iife'], name: 'sluiceHarness', fileName: () => 'harness.js' },
  },
});
