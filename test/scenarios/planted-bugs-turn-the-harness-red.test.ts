/** What the other scenarios claim is worth something only if a real fault shows: each plant must break the promise it belongs to. */
import { expect, test } from 'vitest';
import { playOnce, SMALL_DAY } from '../support/class-day.js';
import { confirmingFirst, planted } from '../support/plants.js';
import { SITE_CLASS } from '../support/site-files.js';
import type { CreditFact } from '../../src/rules/facts.js';
import type { PunchPage } from '../../src/drivers/driver.js';

test('the terminal told before the commit: a punch is lost (P1)', { timeout: 120_000 }, async () => {
  const options = planted(SMALL_DAY, confirmingFirst);
  const clean = await playOnce(options, () => undefined);
  expect(clean.broken).toEqual([]);
  const found: string[] = [];
  for (let at = 1; at <= clean.commits && found.length === 0; at += 1) {
    const { broken } = await playOnce(options, (site) => {
      site.watch = (place, count) => place === 'before' && count === at;
    });
    found.push(...broken);
  }
  expect(found.join('\n')).toContain('P1 gateway');
});

test('the broker believed instead of the platform: acknowledged and not there (P7)', async () => {
  const { broken } = await playOnce(SMALL_DAY, ({ city }) => {
    city.pubackIsReceipt = true;
    city.dieAt('before-commit', 3);
  });
  expect(broken.join('\n')).toContain('P7: batch');
});

test('no unique key: what is read again is stored again (P2)', async () => {
  let seq = 0;
  const numbered = async function* (pages: AsyncIterable<PunchPage>): AsyncGenerator<PunchPage> {
    for await (const page of pages)
      yield { ...page, punches: page.punches.map((one) => ({ ...one, seq: (seq += 1) })) };
  };
  const options = planted(
    SMALL_DAY,
    (session) => ({
      pages: (after, how) => numbered(session.pages(after === null ? null : { ...after, fullReadAt: 0 }, how)),
    }),
    { seqIsIdentity: true },
  );
  const { broken } = await playOnce(options, () => undefined);
  expect(broken.join('\n')).toContain('stored twice');
});

test('credit that was not computed from the punches (P5)', async () => {
  const { broken } = await playOnce(SMALL_DAY, (site) => {
    site.beforeChecks = () => {
      const { store } = site.gateway();
      const [credit] = store.creditsOf(SITE_CLASS);
      if (!credit) throw new Error('no credit');
      const fact: CreditFact = credit;
      store.transact((tx) =>
        tx.addCredit({ ...fact, rev: fact.rev + 1, result: { ...fact.result, flags: ['BACKFILLED', 'LATE'] } }),
      );
    };
  });
  expect(broken.join('\n')).toContain('P5 T0001');
});

test('a record changed on the disk (P4)', async () => {
  const { broken } = await playOnce(SMALL_DAY, (site) => {
    site.beforeChecks = () => {
      const { store } = site.gateway();
      store.transact(() => {
        const { sql } = store.db
          .prepare(
            "SELECT group_concat(name) AS sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'journal'",
          )
          .get() as { sql: string };
        for (const name of sql.split(',')) store.db.exec(`DROP TRIGGER "${name}"`);
        store.db.exec('UPDATE journal SET at = at + 60000 WHERE n = 9');
      });
    };
  });
  expect(broken.join('\n')).toContain('P4 gateway');
});
