/** What a command says of characters that no font has: by trainee number, column and code point, never by name. */
import type { Unprintable } from '../exports/pdf.js';

/** A line for each place where 〓 stands on the paper. */
export function unprintableLines(unprintable: readonly Unprintable[]): readonly string[] {
  return unprintable.map(({ traineeNo, column, codePoints }) => {
    const who = traineeNo === null ? '' : `学员 trainee ${traineeNo}，`;
    return `注意：${who}${column}：字体缺字 ${codePoints.join(' ')}，印作 〓。可安装 fonts-hanazono 或 fonts-babelstone-han 后重新导出。 Characters that no font has were printed as 〓; install one of these fonts and export again.`;
  });
}
