/**
 * What a type of dispenser is: an interface without code. A new type is one file that exports a
 * NumberType, and one line in the table of fields.ts; nothing else names a type or its fields.
 */

import type { Refusal } from "../../base/errors.ts";

/** What a field of HSET says, read. String() of it is the text that is stored and shown. */
export type Value = bigint | string;

/** Values by the names of their fields. */
export type Values = Readonly<Record<string, Value>>;

/** A field of HSET that belongs to a type. */
export interface FieldSpec {
  readonly name: string;
  /**
   * The text that counts where HSET gives none; undefined: HSET has to give one, or it is drawn.
   */
  readonly preset: string | undefined;
  /** Draws a text where HSET gives none. */
  readonly draw?: () => string;
  /** What is shown in the place of a value that is secret; it tells whether two are the same. */
  readonly shown?: (value: Value) => string;
  /**
   * Whether a larger value may take the place of the present one: numbers stay unique and in order.
   */
  readonly mayGrow: boolean;
  /**
   * Reads a text, or says what is allowed. `before` has the values of the fields listed before this
   * one.
   */
  read(text: string, before: Values): Value | Refusal;
}

/** What decides a text beside the position of its number. */
export interface When {
  /** The Unix time in milliseconds, which dates show. */
  readonly wallMs: number;
  /** The period that the number is of (dispenser/format/periods.ts); NO_PERIOD on a line without. */
  readonly period: number;
}

export const NO_PERIOD = 0;

/** Writes numbers one after the other, from the position on that it was opened at. */
export interface NumberSource {
  /** How many bytes the next number takes. */
  readonly bytes: number;
  /** Writes the next number at `into[at]` and on, and goes on to the one after. */
  next(into: Uint8Array, at: number): void;
}

/** Numbers `first + step × k`, k from 0 on. */
export interface Progression {
  readonly first: bigint;
  /** At least 1. */
  readonly step: bigint;
}

/** All numbers of one definition. Positions count from 0. */
export interface NumberSeries {
  /** How many there are in each period, at most 2^63; 0 for a type without positions. */
  readonly positions: bigint;
  /**
   * The number at a position, as GET writes it; behind the last position, as it would go on, or "".
   * Dates and periods need to know when.
   */
  numberAt(position: bigint, when?: When): string;
  /**
   * The position in a period of a number that is written exactly so; undefined where it is none of
   * the series.
   */
  positionOf(number: string, period: number): bigint | undefined;
  /**
   * The same for a number as the series may have written it before a field of it grew.
   */
  positionOnceOf(number: string, period: number): bigint | undefined;
  /**
   * The position in a period at which ADVANCE to this text lets the line go on, or why it cannot.
   */
  positionFrom(text: string, period: number): bigint | Refusal;
  /**
   * The numbers as plain decimal numbers, where that is what they are: so two definitions can be
   * compared. Undefined: any other definition may have the same numbers.
   */
  readonly progression: Progression | undefined;
  /** Of numbers that are not to be guessed: how many texts there are to guess from. */
  readonly guesses?: bigint;
  /** The characters that they are made of; digits by default. */
  readonly characters?: string;
  /**
   * The field of HSET with which a series of this shape begins at a number, as "starting 1002";
   * undefined where none does.
   */
  fieldFrom(number: bigint): string | undefined;
  /**
   * Opens the numbers from a position on, for a type without positions whatever the position. Dates
   * and periods need to know when.
   */
  open(position: bigint, when?: When): NumberSource;
}

export interface NumberType {
  /** What the field `type` says. */
  readonly code: number;
  /** The word that the field `type` may say instead. */
  readonly word: string;
  /** Whether each number has a position, so that none comes twice; if not, nothing is reserved. */
  readonly hasPositions: boolean;
  /** Whether a later position is a larger number. */
  readonly isOrdered: boolean;
  /**
   * Whether it may start over at each start of the server (auto_disk memory), as numbers come again
   * then.
   */
  readonly mayStartOver: boolean;
  /**
   * The level of the programs that know it, as nodes of a cluster tell each other theirs
   * (cluster/stores/records.ts).
   */
  readonly level: number;
  /** The fields of HSET that apply to it, in the order in which they are read and shown. */
  readonly fields: readonly FieldSpec[];
  /** The numbers that these values of its fields make. */
  series(values: Values): NumberSeries;
}
