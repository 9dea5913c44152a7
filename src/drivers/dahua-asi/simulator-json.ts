/** Fields of a record as JSON has them: whole numbers are numbers, all else text. */
const TEXT = new Set(['CardName', 'CardNo', 'UserID', 'Type', 'URL']);

export function fieldsJson(fields: Readonly<Record<string, string>>): Readonly<Record<string, string | number>> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      !TEXT.has(key) && /^-?\d+$/.test(value) ? Number(value) : value,
    ]),
  );
}
