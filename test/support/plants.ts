/** Planted bugs: wrappers that break one promise on purpose, to see that a harness notices. */
import type { Cursor, Driver, PageOptions, PunchPage, TerminalSession } from '../../src/drivers/driver.js';
import type { SiteOptions } from './site-files.js';

/** The site with the sessions of its first terminal changed, and members of its driver. */
export function planted(
  site: SiteOptions,
  change: (session: TerminalSession) => Partial<TerminalSession>,
  more: Partial<Driver> = {},
): SiteOptions {
  const wrap = (driver: Driver): Driver => ({
    ...driver,
    ...more,
    open: async (...args: Parameters<Driver['open']>) => {
      const session = await driver.open(...args);
      const dispose = session[Symbol.asyncDispose].bind(session);
      return { ...session, [Symbol.asyncDispose]: dispose, ...change(session) };
    },
  });
  return { ...site, terminals: site.terminals.map((plan, at) => (at > 0 ? plan : { ...plan, wrap })) };
}

/** Confirm before commit: the terminal may forget what is not on our disk. */
export function confirmingFirst(session: TerminalSession): Partial<TerminalSession> {
  async function* pages(after: Cursor | null, options: PageOptions): AsyncGenerator<PunchPage> {
    for await (const page of session.pages(after, options)) {
      await session.confirm(page);
      yield page;
    }
  }
  return { pages, confirm: async () => undefined };
}
