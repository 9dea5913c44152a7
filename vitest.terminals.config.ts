import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/terminals/**/*.test.ts'],
    setupFiles: ['./test/support/keep-sqlite.ts'],
    hookTimeout: 120_000,
    maxWorkers: 1,
  },
});
