/**
 * Walks a JSON Schema made from a zod schema: which keys are known at a path, and what kind of value stands there.
 * Feeds "did you mean", the coercion of environment variables, the generated documents and, later, the forms of the page.
 */
import { z } from 'zod';

/** The parts of JSON Schema that our schemas use. */
export interface SchemaNode {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  /** The description in Chinese. */
  readonly zh?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Making one takes milliseconds, and a driver's options are asked for with every key of every terminal. */
const written = new WeakMap<z.ZodType, SchemaNode>();

/** The schema of what a person may write (defaults not yet filled in). */
export function writtenSchema(schema: z.ZodType): SchemaNode {
  const known = written.get(schema);
  if (known) return known;
  const made = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as SchemaNode;
  written.set(schema, made);
  return made;
}

/** The schema node at a path; list items share one. Undefined where the schema knows nothing. */
export function schemaAt(root: SchemaNode, path: readonly (string | number)[]): SchemaNode | undefined {
  let nodes: readonly SchemaNode[] = [root];
  for (const step of path) {
    nodes = nodes.flatMap(branches).flatMap((node) => {
      if (typeof step === 'number') return node.items ? [node.items] : [];
      const next = node.properties && Object.hasOwn(node.properties, step) ? node.properties[step] : undefined;
      return next ? [next] : [];
    });
  }
  return nodes[0];
}

/** The keys a group may have at a path. */
export function keysAt(root: SchemaNode, path: readonly (string | number)[]): readonly string[] {
  const node = schemaAt(root, path);
  return node ? branches(node).flatMap((branch) => Object.keys(branch.properties ?? {})) : [];
}

function branches(node: SchemaNode): readonly SchemaNode[] {
  return node.anyOf ? node.anyOf.flatMap(branches) : [node];
}
