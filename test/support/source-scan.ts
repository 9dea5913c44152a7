/** Source files as the architecture test reads them: their imports of every kind, and their syntax tree. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';

export interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
  readonly reexport: boolean;
}

export interface Source {
  /** From the checkout, `src/core/time.ts`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  readonly tree: ts.SourceFile;
}

export function source(path: string, text: string): Source {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const imports: Import[] = [];
  walk(tree, (node) => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      imports.push({ from: node.moduleSpecifier.text, typeOnly, reexport: false });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      imports.push({ from: node.moduleSpecifier.text, typeOnly: node.isTypeOnly, reexport: true });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [from] = node.arguments;
      if (from && ts.isStringLiteral(from)) imports.push({ from: from.text, typeOnly: false, reexport: false });
    } else if (
      ts.isImportTypeNode(node) &&
      ts.isLiteralTypeNode(node.argument) &&
      ts.isStringLiteral(node.argument.literal)
    ) {
      imports.push({ from: node.argument.literal.text, typeOnly: true, reexport: false });
    }
  });
  return { path, text, imports, tree };
}

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

export const line = (one: Source, node: ts.Node): number =>
  one.tree.getLineAndCharacterOfPosition(node.getStart()).line + 1;

/** The file a relative import means, from the checkout. */
export const target = (one: Source, from: string): string =>
  posix.join(posix.dirname(one.path), from).replace(/\.js$/, '.ts');

export function allSources(root: string): Source[] {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((name) => name.endsWith('.ts') && !name.startsWith('page/'))
    .sort()
    .map((name) => source(`src/${name}`, readFileSync(join(root, 'src', name), 'utf8')));
}
