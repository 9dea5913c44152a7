/**
 * What of a record is about the person and not about the punch: names, cards, documents, photos. A punch keeps its record as
 * it came (`raw`), so that it can be decoded again; these values are taken out first, because names are encrypted at rest
 * and raw records are not (S25). The id that the person types stays: without it a punch is nobody's.
 */

const PERSONAL =
  /^(?:(?:card|user|person|employee|people)?name|card_?no|card_?num(?:ber)?|identity_?card|id_?card(?:no|num)?|certificate\w*|phone|mobile|email|(?:picture|photo|image|snap)(?:url|data|path)?|url|qr_?code|face_?data|birth\w*|sex|address|nation)$/i;

/** Whether a key of a record names something about the person. Prefixes such as `Events[0].` do not matter. */
export function isPersonal(key: string): boolean {
  return PERSONAL.test(key.slice(key.lastIndexOf('.') + 1).replace(/\[\d*\]$/, ''));
}

/** JSON without such keys; everything else as it was told. */
export function jsonWithoutPersons(value: unknown): string {
  return JSON.stringify(value, (key, one: unknown) => (key !== '' && isPersonal(key) ? undefined : one));
}
