/** What a simulated site knows by now, in the words of scenarios: events of the journal, punches, one terminal of `/readyz`. */
import type { EventFact, PunchFact } from '../../src/rules/facts.js';
import type { PartStatus } from '../../src/web/status.js';
import type { Site } from './site.js';

/** Events of the running gateway, all or of one kind. */
export const eventsOf = (site: Site, what?: EventFact['what']): readonly EventFact[] =>
  (site.life()?.gateway.store.facts(0, 100_000, 'event') ?? []).flatMap((fact) =>
    fact.kind === 'event' && (what === undefined || fact.what === what) ? [fact] : [],
  );

/** States that terminals were in, as the journal tells them: `online`, `epoch-changed`, `DEVICE_REBOUND` and so on. */
export const deviceStates = (site: Site): readonly unknown[] => eventsOf(site, 'device').map((fact) => fact.data.state);

export const punchesOf = (site: Site): readonly PunchFact[] =>
  (site.life()?.gateway.store.facts(0, 100_000, 'punch') ?? []).flatMap((fact) =>
    fact.kind === 'punch' ? [fact] : [],
  );

/** A terminal as `/readyz` shows it. */
export function terminalOf(site: Site, id = 'hall'): PartStatus {
  const found = site
    .gateway()
    .status()
    .terminals.find((one) => one.id === id);
  if (!found) throw new Error(`no terminal ${id}`);
  return found;
}

export const storedCount = (site: Site): number => site.life()?.gateway.store.punchCount() ?? 0;
