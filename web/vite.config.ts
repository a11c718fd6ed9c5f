import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` finds the server; the built client talks to the origin that served it. */
const devServer = process.env['SLUICE_URL'] ?? 'http://localhost:4000';

export default defineConfig({
  plugins: [react(), tailwindcss()],
  // mediasoup-client alone is most of it, and nothing of it can wait.
  build: { target: 'es2022', chunkSizeWarningLimit: 700 },
  server: {
    proxy: {
      '/socket.io': { target: devServer, ws: true, changeOrigin: true },
    },
  },
  test: {
    environment: 'node',
    include: ['src/**/*.test.ts'],
  },
});
