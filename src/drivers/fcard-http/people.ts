/**
 * The list of people by HTTP push: nothing can be sent, only be fetched. What is wanted is announced in the answer to the
 * next keep-alive; the terminal then asks for commands, for people to add or for numbers to delete, and reports the
 * result. `put` first asks for the person (`QueryPeople`), gives back what the terminal told of card, password and rights, and
 * refuses to rename somebody with a face: what becomes of a face that is not sent along is unproven, and it is never sent.
 */
import { fail, type GatewayError } from '../../core/errors.js';
import { within } from '../../core/time.js';
import type { TerminalUser, TerminalUsers, Wire } from '../driver.js';
import { detailOf, field, listOf, textOf, type Form, type Json } from './codec.js';
import type { FcardHttpOptions } from './options.js';

export interface People extends TerminalUsers {
  /** Flags for the answer to a keep-alive. */
  flags(): Json;
  /** Fields for the answer to RemoteCommand. */
  commands(): Json;
  /** Answers to the other requests of people. */
  additions(form: Form): Json;
  added(form: Form): void;
  deletions(form: Form): Json;
  deleted(form: Form): void;
  pushed(form: Form): void;
}

/** A wish that ends with the terminal's word. */
interface Wish<T> {
  readonly value: T;
  sent: boolean;
  readonly done: Promise<GatewayError | null>;
  end(outcome: GatewayError | null): void;
}

interface Known {
  readonly name: string;
  /** What may be written back: card, password, rights. */
  readonly kept: Json;
  readonly hasFace: boolean;
}

/** Everything of a person that is no face, finger, palm or photo. */
const KEPT = new Set(
  [
    ...['job', 'department', 'identitycard', 'attachment', 'password', 'cardnum', 'qrcode', 'accesstype'],
    ...['expirationdate', 'opentimes', 'keepopen', 'timegroup', 'holidays', 'elevators'],
  ].values(),
);
/** The maker's text, section of error codes, is not public in full; a word is what remains. */
const FULL = /full|capacity|满|上限/i;
const NAME_BYTES = 63;
const LIST_QUIET_MS = 10_000;

const isUserNumber = (id: string): boolean => /^[1-9]\d{0,9}$/.test(id) && Number(id) <= 0xffffffff;

function knownOf(detail: Json): Known {
  const kept = Object.entries(detail).filter(([key]) => KEPT.has(key.toLowerCase()));
  const bio = [
    field(detail, 'Photo'),
    field(detail, 'PhotoMD5'),
    field(detail, 'FaceFeature'),
    field(detail, 'FaceFeatureMD5'),
  ];
  const hasFace = bio.some((one) => textOf(one) !== '') || Number(textOf(field(detail, 'PhotoLen')) || '0') > 0;
  return { name: textOf(field(detail, 'Name')), kept: Object.fromEntries(kept), hasFace };
}

/** Cut to what the terminal takes, at a whole character. */
export function nameThatFits(name: string): string {
  let text = '';
  for (const char of name.trim()) {
    if (Buffer.byteLength(text + char, 'utf8') > NAME_BYTES) break;
    text += char;
  }
  return text;
}

export function createPeople(parts: {
  readonly options: FcardHttpOptions;
  readonly wire: Wire;
  readonly signal: AbortSignal;
}): People {
  const { clock } = parts.wire;
  const waitMs = parts.options.peopleSeconds * 1000;
  const adding: Wish<Json>[] = [];
  const deleting: Wish<string>[] = [];
  let query: { readonly id: string; found: Known | null; readonly wish: Wish<string> } | null = null;
  let listing: { fetchedAt: number | null; heardAt: number; readonly people: Map<string, string> } | null = null;
  let turn: Promise<unknown> = Promise.resolve();

  const exclusive = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work, work);
    turn = mine.catch(() => undefined);
    return mine;
  };

  const wishFor = <T>(value: T): Wish<T> => {
    let end: Wish<T>['end'] = () => undefined;
    const done = new Promise<GatewayError | null>((resolve) => (end = resolve));
    return { value, sent: false, done, end };
  };
  const settle = async <T>(wish: Wish<T>, waitingFor: string, waitingForZh: string): Promise<void> => {
    const outcome = await within(clock, waitMs, parts.signal, wish.done);
    if (outcome === 'late') throw fail('link-silent', { ms: waitMs, waitingFor, waitingForZh });
    if (outcome !== null) throw outcome;
  };
  const drop = <T>(list: Wish<T>[], wish: Wish<T>): void => {
    const at = list.indexOf(wish);
    if (at >= 0) list.splice(at, 1);
  };

  const find = async (id: string): Promise<Known | null> => {
    const asked = { id, found: null, wish: wishFor(id) };
    query = asked;
    try {
      await settle(asked.wish, 'the terminal to tell of a person', '等待考勤机报告人员');
      return query.found;
    } finally {
      query = null;
    }
  };

  const write = async (person: Json): Promise<void> => {
    const wish = wishFor(person);
    adding.push(wish);
    try {
      await settle(wish, 'the terminal to take a person', '等待考勤机接收人员');
    } finally {
      drop(adding, wish);
    }
  };

  const refusalOf = (failure: Json): GatewayError => {
    const code = textOf(field(failure, 'ErrorCode'));
    if (FULL.test(textOf(field(failure, 'ErrMsg')))) return fail('terminal-full');
    return fail('user-refused', { reason: `error code ${code}`, reasonZh: `错误代码 ${code}` });
  };

  return {
    list: () =>
      exclusive(async () => {
        const asked = { fetchedAt: null as number | null, heardAt: clock.ticks(), people: new Map<string, string>() };
        listing = asked;
        const began = clock.ticks();
        try {
          for (;;) {
            await clock.sleep(500, parts.signal);
            const now = clock.ticks();
            if (asked.fetchedAt !== null && now - asked.heardAt >= LIST_QUIET_MS)
              return [...asked.people].map(([id, name]): TerminalUser => ({ id, name }));
            if (asked.fetchedAt === null && now - began >= waitMs)
              throw fail('link-silent', { ms: waitMs, waitingFor: 'the list of people', waitingForZh: '等待人员名单' });
          }
        } finally {
          listing = null;
        }
      }),
    put: ({ id, name }) =>
      exclusive(async () => {
        if (!isUserNumber(id)) {
          throw fail('user-refused', {
            reason: 'the user number must be a whole number from 1 to 4294967295 without leading zeros',
            reasonZh: '机内编号必须是 1 到 4294967295 的整数，且不能以 0 开头',
          });
        }
        const fits = nameThatFits(name);
        const known = await find(id);
        if (known?.name === fits) return;
        if (known?.hasFace === true) {
          throw fail('user-refused', {
            reason: 'renaming over HTTP could lose the face that the terminal holds; change the name at the terminal',
            reasonZh: '通过 HTTP 改名可能丢失机内人脸，请在考勤机上修改姓名',
          });
        }
        const fresh = { AccessType: 0, ExpirationDate: 0, OpenTimes: 65_535, KeepOpen: 0, Timegroup: 1 };
        await write({ UserID: id, Name: fits, ...(known?.kept ?? fresh) });
      }),
    remove: (id) =>
      exclusive(async () => {
        // Nobody can be there under an id that is no user number.
        if (!isUserNumber(id)) return;
        const wish = wishFor(id);
        deleting.push(wish);
        try {
          await settle(wish, 'the terminal to delete a person', '等待考勤机删除人员');
        } finally {
          drop(deleting, wish);
        }
      }),

    flags: () => ({
      ...(adding.length > 0 ? { AddPeople: 1 } : {}),
      ...(deleting.length > 0 ? { DeletePeople: 1 } : {}),
      ...(query !== null || listing?.fetchedAt === null ? { Remote: 1 } : {}),
    }),
    commands() {
      if (query !== null) return { QueryPeople: [Number(query.id)] };
      if (listing?.fetchedAt !== null) return {};
      listing.fetchedAt = clock.ticks();
      listing.heardAt = clock.ticks();
      return { PushAllPeople: 1 };
    },
    // The terminal repeats the request until nothing comes: what was sent is not sent twice before it reports.
    additions() {
      const now = adding.filter((wish) => !wish.sent);
      for (const wish of now) wish.sent = true;
      return { PeopleCount: now.length, PeopleList: now.map((wish) => wish.value) };
    },
    added(form) {
      const failures = new Map(
        listOf(field(form.fields, 'FailList', 'FailCount')).flatMap((one): [string, Json][] =>
          typeof one === 'object' && one !== null ? [[textOf(field({ ...one }, 'UserID')), { ...one }]] : [],
        ),
      );
      for (const wish of adding.filter((one) => one.sent)) {
        const failure = failures.get(textOf(wish.value.UserID));
        wish.end(failure ? refusalOf(failure) : null);
      }
    },
    deletions() {
      const now = deleting.filter((wish) => !wish.sent);
      for (const wish of now) wish.sent = true;
      return { DeleteAll: 0, DeleteCount: now.length, DeleteList: now.map((wish) => Number(wish.value)) };
    },
    // The list of those who were deleted is spelled in two ways, and one who was not there may be missing in it.
    deleted() {
      for (const wish of deleting.filter((one) => one.sent)) wish.end(null);
    },
    pushed(form) {
      const detail = detailOf(form);
      const id = textOf(field(form.fields, 'UserID')) || textOf(detail && field(detail, 'UserID'));
      const isDeleted = textOf(field(form.fields, 'PushType')) === '3';
      const known = detail && !isDeleted ? knownOf(detail) : null;
      if (listing !== null && id !== '') {
        listing.heardAt = clock.ticks();
        if (known) listing.people.set(id, known.name);
        else listing.people.delete(id);
      }
      if (query?.id === id) {
        query.found = known;
        query.wish.end(null);
      }
    },
  };
}
