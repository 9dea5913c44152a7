/** Whatever the gateway does with a terminal, it never asks for a face, a photo or a template, and never tells it to erase its log (R32, D4). */
import { expect, test } from 'vitest';
import { simulatedHistory } from '../../src/demo/people.js';
import type { LocalDate } from '../../src/core/time.js';
import { openSite } from '../support/harness.js';
import { storedCount, terminalOf } from '../support/journal.js';
import { MAKES } from '../support/makes.js';
import { drivers } from '../support/station.js';

const HOUR = 3_600_000;
/**
 * Words of the text protocols that fetch pictures or templates, or erase. Hanvon's `GetEmployee` is not among them: it is the only way
 * to a name, and what it brings of a face is dropped.
 */
const FORBIDDEN =
  /DATA \w+ (?:FINGERTMP|BIODATA|BIOPHOTO|USERPIC|FACE)|Multi\w+Support=[^\r\n]*[1-9]|PhotoSupport=1|TransFlag=[^\r\n]*(?:Photo|Pic|Face|Finger|Bio)|CLEAR (?:LOG|DATA|PHOTO|ALL)|getuserinfo|cleanlog|cleanuser|initsys|FaceDataRecord|FDSearch|capture\/|ClearUserData|action=clear|action=remove&name=AccessControlCardRec|FaceInfoManager|DeleteAllRecord|ClearRecord|DeleteAll/i;
/** Names that the decoders give to such requests of the binary ones; Anviz's clearNew marks records as read and erases nothing. */
const NAMED = /template|face|photo|picture|finger|clear(?!New)|erase|format|initial/i;

test.each(MAKES)('$name', { timeout: 60_000 }, async (make) => {
  const records = simulatedHistory(30, 10, '2026-09-09' as LocalDate);
  await using site = await openSite({ people: 4, terminals: [{ ...make, id: 'hall', records, users: [] }] });
  const hall = site.station('hall');
  await site.start();
  await site.until(
    'people and punches',
    () => storedCount(site) === 30 && terminalOf(site).details.enrolled === 4,
    2 * HOUR,
  );
  hall.terminal.punch(site.people[0] ?? '');
  await site.until('a live one', () => storedCount(site) === 31, HOUR);
  await site.goTo('23:00');
  await site.run(HOUR);
  const asked = hall.asked();
  expect(asked.length).toBeGreaterThan(3);
  expect(FORBIDDEN.exec(Buffer.concat(asked).toString('latin1'))).toBeNull();
  const driver = drivers.find((one) => one.name === make.driver);
  const decoder = driver?.decoder(driver.options.parse(make.options ?? {}), 'gateway');
  const names = asked.flatMap((piece) =>
    (decoder?.push(piece) ?? []).flatMap((one) => (one.kind === 'message' ? [one.name] : [])),
  );
  expect([...new Set(names)].filter((name) => NAMED.test(name))).toEqual([]);
  // The whole log is still in the terminal.
  expect(hall.terminal.records()).toHaveLength(31);
});
