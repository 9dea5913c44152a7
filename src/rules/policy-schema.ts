/**
 * The form of a policy file (requirements 5): its head, the sections of policy-sections.ts, where each value comes from, and
 * the layers it was made of. Unknown keys are errors; a key that may be null may be left out. Cross-checks (the grid fits, no
 * window is empty, the dates are in order) are part of the schema.
 */
import { z } from 'zod';
import { bilingual } from '../core/faults.js';
import { planSessions } from './grid.js';
import { credit, date, keeping, told, totals, whole, zoneName } from './policy-sections.js';

const patternsSection = z.strictObject({
  crowdTrainees: told(
    whole(2, 100).default(5),
    '同一终端短时间内打卡达到多少人即提示',
    'So many trainees on one terminal within crowdSeconds are flagged',
  ),
  crowdSeconds: told(whole(1, 60).default(1), '上项所指的时间(秒)', 'Seconds within which crowdTrainees is counted'),
  placesWithinSeconds: told(
    whole(1, 3600).default(60),
    '多少秒内同一人出现在不同教室的两台终端即提示',
    'One person on terminals of two rooms within so many seconds is flagged',
  ),
  makeupBurst: told(
    whole(1, 1000).default(10),
    '同一班级同一日期的补签达到多少条即提示',
    'So many make-ups for one date of a class are flagged',
  ),
});

/** Patterns that are told and never change an hour (R36). */
const patterns = told(
  patternsSection.exactOptional(),
  '异常提示(只提示,不影响课时)',
  'Patterns that are flagged; they never change hours',
);

/** The numbers for a policy that has no section `patterns`. */
export const DEFAULT_PATTERNS: z.output<typeof patternsSection> = patternsSection.parse({});

const layer = z.strictObject({
  id: told(z.string(), '层的名称', 'Name of the layer'),
  version: told(whole(1, 1_000_000), '层的版本号', 'Version of the layer'),
  sha256: told(z.string().regex(/^[0-9a-f]{64}$/), '层内容的 SHA-256', 'SHA-256 of the content of the layer'),
  signedBy: told(
    z.string().nullable(),
    '签名密钥编号;空:随程序提供',
    'Id of the key that signed it; null: shipped with the program',
  ),
});

/** What the file says of itself. */
const head = {
  id: told(
    z
      .string()
      .regex(
        /^[a-z0-9][a-z0-9-]{0,63}$/,
        bilingual('lower-case letters, digits and hyphens', '仅限小写字母、数字和连字符'),
      ),
    '政策名称',
    'Name of the policy',
  ),
  version: told(whole(1, 1_000_000), '版本号', 'Version'),
  jurisdiction: told(
    z.strictObject({
      code: told(
        z.string().regex(/^\d{6}$/, bilingual('six digits', '六位数字')),
        '行政区划代码',
        'Area code (GB/T 2260)',
      ),
      name: told(z.string().min(1), '行政区名称', 'Name of the area'),
    }),
    '适用地区',
    'Jurisdiction',
  ),
  basis: told(z.array(z.string().min(1)).min(1), '政策依据', 'Legal basis'),
  effectiveFrom: told(date, '生效日期', 'First day of effect'),
  effectiveTo: told(date.nullable().default(null), '失效日期;空:长期', 'Last day of effect; null: open'),
  timezone: told(zoneName, '时区', 'Time zone'),
};

/** What it rules. */
const sections = { ...credit, ...totals, ...keeping, patterns };

export const policySchema = z
  .strictObject({
    ...head,
    ...sections,
    sources: told(
      z.record(z.string(), z.string().min(1).max(200)).exactOptional(),
      '各值的依据条款;未列出的值为假定',
      'Clause each value comes from; a value without one is an assumption',
    ),
    layers: told(
      z.array(layer).min(1).exactOptional(),
      '由哪些层合成(由程序填写)',
      'The layers it was made of (written by the program)',
    ),
  })
  .check((context) => {
    const plan = planSessions(context.value.sessions, context.value);
    for (const fault of plan.faults) {
      context.issues.push({
        code: 'custom',
        input: context.value.sessions,
        path: ['sessions', fault.index, fault.key],
        message: bilingual(fault.en, fault.zh),
      });
    }
    const unknown = Object.keys(context.value.sources ?? {}).filter(
      (path) => policyPaths().get(path)?.citable !== true,
    );
    if (unknown.length > 0) {
      context.issues.push({
        code: 'unrecognized_keys',
        input: context.value.sources,
        path: ['sources'],
        keys: unknown,
      });
    }
    const { effectiveFrom, effectiveTo } = context.value;
    if (effectiveTo !== null && effectiveTo < effectiveFrom) {
      context.issues.push({
        code: 'custom',
        input: effectiveTo,
        path: ['effectiveTo'],
        message: bilingual('before effectiveFrom', '早于 effectiveFrom'),
      });
    }
  });

export type PolicyFile = z.output<typeof policySchema>;

/** One place of the form: a value (lists are values), or a group of them. */
export interface PolicyPath {
  readonly path: string;
  readonly zh: string;
  readonly en: string;
  readonly group: boolean;
  /** Whether `sources` may name it: not the name, version and basis of the file itself. */
  readonly citable: boolean;
}

let known: ReadonlyMap<string, PolicyPath> | null = null;

/** Every place of the form by its dotted path, in the order of the schema. */
export function policyPaths(): ReadonlyMap<string, PolicyPath> {
  known ??= new Map(
    Object.entries({ ...head, ...sections })
      .flatMap(([key, schema]) => pathsOf(key, schema, !OF_THE_FILE.has(key)))
      .map((one) => [one.path, one]),
  );
  return known;
}

const OF_THE_FILE: ReadonlySet<string> = new Set(['id', 'version', 'jurisdiction', 'basis']);

function pathsOf(path: string, schema: z.ZodType, citable: boolean): readonly PolicyPath[] {
  const inner = schema instanceof z.ZodExactOptional ? schema.unwrap() : schema;
  const group = inner instanceof z.ZodObject;
  const meta = schema.meta();
  const own = { path, zh: typeof meta?.zh === 'string' ? meta.zh : '', en: meta?.description ?? '', group, citable };
  if (!group) return [own];
  const keys = Object.entries<z.ZodType>(inner.shape);
  return [own, ...keys.flatMap(([key, next]) => pathsOf(`${path}.${key}`, next, citable))];
}
