/** Says at the end which tests were skipped and why: the reason stands in the title of the test or of its suite. */
import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';

const REASON = /skipped: ([^>]+)/;

export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = new Map<string, number>();
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const why = REASON.exec(test.fullName)?.[1]?.trim() ?? `no reason given: ${test.fullName}`;
        const key = `${relative(process.cwd(), module.moduleId)}: ${why}`;
        lines.set(key, (lines.get(key) ?? 0) + 1);
      }
    }
    if (lines.size === 0) return;
    process.stdout.write('\n跳过的测试及原因 Skipped tests and why:\n');
    for (const [key, count] of lines) process.stdout.write(`  ${String(count).padStart(3)}  ${key}\n`);
  }
}
