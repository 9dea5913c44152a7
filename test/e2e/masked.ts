/** What a person and a capture may have in common: the times, and who is the same as whom, but no id. */
import { expect } from 'vitest';

type Lines = readonly Readonly<Record<string, unknown>>[];

export const identities = (json: Lines): readonly string[] =>
  json.filter((one) => one.kind === 'punch').map((one) => `${String(one.deviceUserId)} ${String(one.wallTime)}`);

const idsOf = (json: Lines): readonly string[] => [
  ...new Set(json.filter((one) => one.kind === 'punch').map((one) => String(one.deviceUserId))),
];

/** Every punch is there with its time under another id of the same length, the same for the same person. */
export function expectMasked(told: Lines, masked: Lines): void {
  const byTime = new Map(
    identities(masked).map((one) => [one.slice(one.indexOf(' ')), one.slice(0, one.indexOf(' '))]),
  );
  const pairs = identities(told).map((one) => {
    const cut = one.indexOf(' ');
    return [one.slice(0, cut), byTime.get(one.slice(cut)) ?? `nobody at${one.slice(cut)}`] as const;
  });
  const masks = new Map(pairs);
  expect(new Set(identities(masked)).size).toBe(new Set(identities(told)).size);
  for (const [id, mask] of pairs) {
    expect(masks.get(id)).toBe(mask);
    expect(mask).toHaveLength(id.length);
  }
  expect(idsOf(masked).filter((id) => idsOf(told).includes(id))).toEqual([]);
}
