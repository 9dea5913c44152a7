import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['./test/support/keep-sqlite.ts', './test/support/seed.ts'],
    exclude: ['test/torture/**', 'test/terminals/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    reporters: ['default', './test/support/skip-reporter.ts'],
  },
});
