/**
 * Which column of a table is what: the header row among the first rows, its words in Chinese and English, and what a person
 * says with `--map`. Columns that mean nothing here are named and left alone; telephone numbers are never taken.
 */

/** What `--map` said: a field (`name`, `姓名`) to a letter of a column or the words at its head. */
export type ColumnMapping = Readonly<Record<string, string>>;
