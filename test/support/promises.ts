/**
 * The promises P1 to P5 and P7 as questions to a site: what was given against what is stored and delivered, the data
 * directory verified row by row, credit computed anew by a store and lookups that were never in the running process.
 * Each broken promise is one sentence; an empty list means that all hold.
 */
import { cpSync, rmSync } from 'node:fs';
import { checkCreditsIn } from '../../src/classes/check-credits.js';
import { openClasses } from '../../src/classes/classes.js';
import { loadPreset } from '../../src/policies.js';
import type { PunchIdentity } from '../../src/platform/ledger.js';
import { creditDay } from '../../src/rules/day.js';
import { dayPunchOf } from '../../src/rules/day-credit.js';
import type { JsonValue, PunchFact } from '../../src/rules/facts.js';
import { canonicalJson } from '../../src/rules/policy.js';
import { verifyDataDir } from '../../src/store/check.js';
import { openStore } from '../../src/store/database.js';
import type { Store } from '../../src/store/store.js';
import { GW } from './city.js';
import type { Site } from './site.js';
import { SITE_CLASS, UPSTREAM } from './site-files.js';
import { SITE_ZONE } from './station.js';

const punchesOf = (store: Store): readonly PunchFact[] =>
  store.facts(0, 1_000_000, 'punch').flatMap((fact) => (fact.kind === 'punch' ? [fact] : []));
const keyOf = (one: PunchIdentity): string => `${one.deviceSn} ${one.deviceUserId} ${one.wallTime}`;

function compare(where: string, given: readonly string[], found: readonly string[]): string[] {
  const [wanted, have] = [new Set(given), new Set(found)];
  const missing = [...wanted].filter((one) => !have.has(one));
  const invented = [...have].filter((one) => !wanted.has(one));
  return [
    ...(missing.length > 0
      ? [`P1 ${where}: ${missing.length} of ${wanted.size} punches missing: ${missing.slice(0, 3).join(', ')}`]
      : []),
    ...(invented.length > 0 ? [`P2 ${where}: invented ${invented.slice(0, 3).join(', ')}`] : []),
    ...(found.length > have.size ? [`P2 ${where}: ${found.length - have.size} punches are stored twice`] : []),
  ];
}

/** Credit as rules that know nothing of this process see it: a copy of the disk, opened anew, punches picked one by one. */
function recompute(site: Site, dir: string): string[] {
  const copy = `${dir}-recomputed`;
  cpSync(dir, copy, { recursive: true });
  const clock = { ...site.world, trusted: () => true };
  const store = openStore({ dir: copy, clock, software: 'recomputation' });
  try {
    const preset = loadPreset('baotou-2023').policy;
    const classes = openClasses(store, {
      clock,
      zone: SITE_ZONE,
      policies: { names: ['baotou-2023'], get: () => preset },
    });
    const all = store.facts(0, 1_000_000, 'punch');
    const broken: string[] = [];
    for (const { date } of classes.get(SITE_CLASS)?.days ?? []) {
      for (const traineeNo of classes.enrolledOn(SITE_CLASS, date)) {
        const last = store.credit(`${SITE_CLASS}/${traineeNo}/${date}`);
        const asked = classes.dayQuestion(SITE_CLASS, traineeNo, date);
        if (!asked || !last) {
          broken.push(`P5 ${traineeNo} ${date}: no result`);
          continue;
        }
        // Not by the store's index: every punch of the person ever stored whose day this may be.
        const own = new Set(asked.question.punches.map((one) => one.n));
        const near = all.flatMap((fact) =>
          fact.kind === 'punch' && (own.has(fact.n) || (fact.traineeNo === traineeNo && fact.wallTime.startsWith(date)))
            ? [{ ...dayPunchOf(fact), terminal: fact.terminalId }]
            : [],
        );
        const anew = creditDay({ ...asked.question, punches: near }, asked.policy) as unknown as Readonly<
          Record<string, JsonValue>
        >;
        const text = (result: Readonly<Record<string, JsonValue>>): string => {
          const { dayResult, flags, ignored, explanation, policy } = result;
          return canonicalJson({ dayResult, flags, ignored, explanation, policy });
        };
        if (text(anew) !== text(last.result))
          broken.push(`P5 ${traineeNo} ${date}: stored credit differs from recomputation`);
      }
    }
    return broken;
  } finally {
    store[Symbol.dispose]();
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Every promise that does not hold now. For a site that was run until everything was delivered. */
export async function brokenPromises(site: Site, { credit = true } = {}): Promise<readonly string[]> {
  const store = site.gateway().store;
  const given = [...new Set(site.given())];
  const state = store.upstream(UPSTREAM);
  const pending = store.pending(UPSTREAM);
  const { ledger } = site.city;
  const counts = ledger.counts(GW);
  const chain = ledger.verifyGateway(GW);
  const broken = [
    ...compare('gateway', given, punchesOf(store).map(keyOf)),
    ...compare('platform', given, ledger.punches(GW).map(keyOf)),
    ...(pending.records > 0 || pending.batches > 0
      ? [`P7: ${pending.records} records and ${pending.batches} batches wait`]
      : []),
    ...(state && state.ackedSeq > 0 && !site.city.everHad(state.ep, state.ackedSeq, state.ackedHash)
      ? ['P7: acknowledged what the platform never had']
      : []),
    ...(chain.ok ? [] : [`P4 platform: ${chain.faults.join('; ')}`]),
    ...(counts.forks > 0 ? [`P2 platform: ${counts.forks} forks`] : []),
    ...(counts.parked > 0 || counts.early > 0 ? [`platform: ${counts.parked} parked, ${counts.early} early`] : []),
  ];
  await site.stop();
  const verified = verifyDataDir(site.dir(), { verifySignature: site.city.verifySignature });
  const computed = credit && verified.ok ? checkCreditsIn(site.dir()) : null;
  if (computed?.fault) broken.push(`P5 verify: ${computed.fault.reason}`);
  if (!verified.ok) broken.push(`P4 gateway: ${JSON.stringify(verified.firstFault)}`);
  else if (credit) broken.push(...recompute(site, site.dir()));
  return broken;
}

/**
 * What must hold at every moment: the platform has what is acknowledged (P7), and a new life continues the journal that
 * the old one had committed (P1, P3). Call `look` often, `begun` after each start.
 */
export function createWatchman(site: Site): { look(): void; begun(): void; readonly broken: string[] } {
  const broken: string[] = [];
  let last = { n: 0, hash: '' };
  return {
    broken,
    look() {
      const store = site.life()?.gateway.store;
      if (!store) return;
      const state = store.upstream(UPSTREAM);
      if (state && state.ackedSeq > 0 && !site.city.everHad(state.ep, state.ackedSeq, state.ackedHash))
        broken.push(`P7: batch ${state.ackedSeq} is acknowledged and the platform never had it`);
      last = store.head();
    },
    begun() {
      const store = site.life()?.gateway.store;
      if (store && last.n > 0 && store.hashAt(last.n) !== last.hash)
        broken.push(`P1: record ${last.n} was committed and is gone or another`);
    },
  };
}
