/**
 * The summary that stands in a QR code (R87): a compact JWS over the few numbers a reader compares with the paper, so that paper
 * can be verified without network. Numbers of class and trainee, hours, policy and digest; no name and no document number ever.
 *
 * Signing is a function that the caller gives, because the key lives with the gateway; without one the code holds the digest
 * only, and the paper says so.
 */
import { z } from 'zod';
import type { AttendanceTable } from './attendance.js';

export const TOKEN_TYPES = ['rollcall-trainee+jws', 'rollcall-table+jws'] as const;
export type TokenType = (typeof TOKEN_TYPES)[number];

/** Signs a payload as compact JWS of this type; null: no key is within reach. */
export type SignToken = (typ: TokenType, payload: string) => string | null;

const text = z.string().min(1).max(64);
const date = z.string().regex(/^\d{4}-\d{2}-\d{2}$/);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const hours = z.number().nonnegative();
const policy = z.strictObject({ id: text, ver: z.int(), sha256 });
const status = z.enum(['provisional', 'final', 'sealed']);

/** What is said of one trainee; dates are local, hours in class hours, `at` is the day on which the paper was made. */
const traineeClaims = z.strictObject({
  v: z.literal(1),
  class: text,
  trainee: text,
  from: date,
  to: date,
  policy,
  hours: z.strictObject({ punch: hours, makeup: hours, online: hours, total: hours, required: hours }),
  percent: z.number(),
  status,
  throughN: z.int(),
  digest: sha256,
  at: date,
});

const tableClaims = z.strictObject({
  v: z.literal(1),
  class: text,
  people: z.int(),
  from: date,
  to: date,
  policy,
  hours: z.strictObject({ total: hours, planned: hours }),
  status,
  throughN: z.int(),
  digest: sha256,
  at: date,
});

export type TraineeClaims = z.infer<typeof traineeClaims>;
export type TableClaims = z.infer<typeof tableClaims>;

export const CLAIMS = { 'rollcall-trainee+jws': traineeClaims, 'rollcall-table+jws': tableClaims } as const;

export const UNSIGNED_PREFIX = 'rollcall:';

/** What the QR code holds where nothing could be signed. */
export const unsignedToken = (digest: string): string => `${UNSIGNED_PREFIX}${digest}`;

export const isSigned = (token: string): boolean => !token.startsWith(UNSIGNED_PREFIX);

/** Hours of the class add up to hundredths. */
const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + Math.round(value * 100), 0) / 100;

/** The QR text of an attendance table. */
export function tableToken(table: Omit<AttendanceTable, 'token'>, sign: SignToken | null): string {
  const { days } = table;
  const claims: TableClaims = {
    v: 1,
    class: table.classNo,
    people: table.people.length,
    // The days on the table, which may be a part of the class.
    from: days[0]?.date ?? table.from,
    to: days.at(-1)?.date ?? table.to,
    policy: table.policy,
    hours: { total: sum(table.people.map((person) => person.totalHours)), planned: table.plannedHours },
    status: table.status,
    throughN: table.throughN,
    digest: table.digest,
    at: table.madeOn,
  };
  return sign?.('rollcall-table+jws', JSON.stringify(claims)) ?? unsignedToken(table.digest);
}
