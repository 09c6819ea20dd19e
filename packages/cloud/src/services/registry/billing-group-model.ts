export type BillingGroupRecord = {
  billingGroupName: string;
  /** Of this very group: one that is made after its deletion under its name has another. */
  billingGroupId: string;
  description?: string;
  version: number;
  createdAtMs: number;
};

export type DeletedBillingGroupRecord = Pick<BillingGroupRecord, "billingGroupName" | "billingGroupId">;
