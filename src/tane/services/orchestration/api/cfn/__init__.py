"""CloudFormation's API as Heat has it: the same stacks, by what programs of Amazon's send."""
