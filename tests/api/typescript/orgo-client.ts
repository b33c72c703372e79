/** What Orgo's web client and its pages read of the answers of the reports (docs/reports-api.md). */

type Day = `${number}-${number}-${number}`;
type Moment = `${Day}T${string}`;
type TaskStatus = "PENDING" | "IN_PROGRESS" | "ON_HOLD" | "COMPLETED" | "FAILED" | "ESCALATED" | "CANCELLED";

export interface Failure {
  readonly ok: false;
  readonly data: null;
  readonly error: { readonly code: string; readonly message: string };
}

export interface Success<Data> {
  readonly ok: true;
  readonly data: Data;
  readonly error: null;
}

/** `date_key`, `value` and `extra` are those of the client, the others those of the pages. */
export interface Volume {
  readonly date_key: Day;
  readonly value: number;
  readonly extra: { readonly [name: string]: unknown };
  readonly date: Day;
  readonly status: TaskStatus;
  readonly count: number;
}

export interface DomainBreaches {
  readonly domainType: string;
  readonly totalTasks: number;
  readonly breachedTasks: number;
  readonly breachRate: number;
}

/** One task whose deadline was missed; ids are texts, because JavaScript rounds numbers of 64 bits. */
export interface TaskBreach {
  readonly task_id: string;
  readonly breach_seconds: number;
}

export interface ProfileScore {
  readonly organizationId: string;
  readonly fromDate: Day;
  readonly toDate: Day;
  readonly overallTasks: number;
  readonly overallBreachedTasks: number;
  readonly overallScore: number;
  readonly perDomain: readonly DomainBreaches[];
}

export interface Overview {
  readonly timeframe: "7d" | "30d" | "90d";
  readonly metrics: readonly {
    readonly id: string;
    readonly label: string;
    readonly value: number;
    readonly formattedValue: string;
    readonly changePercent: number | null;
  }[];
  readonly primaryTrend: readonly { readonly date: Day; readonly value: number }[];
  readonly generatedAt: Moment;
}
