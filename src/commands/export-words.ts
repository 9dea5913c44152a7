/** Words that exports share and that are loaded with the command line: nothing else may stand here. */

/** Where nobody is named, a line is left for a hand to fill in. */
export const NOBODY = '＿＿＿＿＿＿';
