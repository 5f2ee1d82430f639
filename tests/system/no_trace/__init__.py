"""The fuzzer of "what is hidden leaves no trace": two worlds that differ only in what a viewer may not see."""
