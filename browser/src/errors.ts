// What ends a check without a yes. The codes are the command's exit codes.

/** 1: the check failed, "no". 2: there is no answer, for a file could not be read. */
export type FailureCode = 1 | 2;

export class Failure extends Error {
  constructor(
    readonly code: FailureCode,
    message: string,
  ) {
    super(message);
  }
}

/** The bytes are not what the format allows, whoever made them. */
export class Malformed extends Failure {
  constructor(message: string) {
    super(2, message);
  }

  /** `WHAT: FIELD should be EXPECTED, found FOUND`, the form of all refusals of a field. */
  static field(what: string, field: string, expected: string, found: string): Malformed {
    return new Malformed(`${what}: ${field} should be ${expected}, found ${found}`);
  }
}

/** The bytes are well formed, and prove nothing or not enough. */
export class Refused extends Failure {
  constructor(message: string) {
    super(1, message);
  }
}
