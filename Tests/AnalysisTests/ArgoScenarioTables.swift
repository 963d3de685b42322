// Rows A1–A112 of the scenarios that were run on Argo Rollouts (analysis/analysis.go at 9f8d111d, scripted provider,
// fake clock), in the notation of `ScenarioNotation`.

import Analysis

extension ArgoScenarioTests {
    static let phases: [Scenario] = [
        Scenario("A1", "–", "S", "0: S→S", .successful, ""),
        Scenario("A2", "–", "F", "0: F→F", .failed, "m: failed (1) > failureLimit (0)"),
        Scenario("A3", "–", "I", "0: I→I", .inconclusive, "m: inconclusive (1) > inconclusiveLimit (0)"),
        Scenario(
            "A4", "–", "E E E E E", "0: E→R · 10: E→R · 20: E→R · 30: E→R · 40: E→E", .error,
            "m: consecutiveErrors (5) > consecutiveErrorLimit (4) +«boom»"),
        Scenario("A5", "–", "E E S", "0: E→R · 10: E→R · 20: S→S", .successful, ""),
        Scenario(
            "A6", "–", "E E E E F", "0: E→R · 10: E→R · 20: E→R · 30: E→R · 40: F→F", .failed,
            "m: failed (1) > failureLimit (0)"),
        Scenario("A7", "eL0", "E", "0: E→E", .error, "m: consecutiveErrors (1) > consecutiveErrorLimit (0) +«boom»"),
        Scenario("A8", "fL1", "F", "0: F→S", .successful, ""),
        Scenario("A9", "iL1", "I", "0: I→S", .successful, ""),
        Scenario("A10", "i30 n3", "S S S", "0: S→R · 30: S→R · 60: S→S", .successful, ""),
        Scenario("A11", "i30 n3", "S F", "0: S→R · 30: F→F", .failed, "m: failed (1) > failureLimit (0)"),
        Scenario("A12", "i30 n3 fL1", "F S S", "0: F→R · 30: S→R · 60: S→S", .successful, ""),
        Scenario(
            "A13", "i30 n3 fL1", "F S F", "0: F→R · 30: S→R · 60: F→F", .failed, "m: failed (2) > failureLimit (1)"),
        Scenario("A14", "i30 n3 fL3", "F F F", "0: F→R · 30: F→R · 60: F→S", .successful, ""),
        Scenario(
            "A15", "i10 n3 fL2", "F F F", "0: F→R · 10: F→R · 20: F→F", .failed, "m: failed (3) > failureLimit (2)"),
        Scenario(
            "A16", "i10 fL2", "F S F S F", "0: F→R · 10: S→R · 20: F→R · 30: S→R · 40: F→F", .failed,
            "m: failed (3) > failureLimit (2)"),
        Scenario(
            "A17", "i30 n3", "S I", "0: S→R · 30: I→I", .inconclusive, "m: inconclusive (1) > inconclusiveLimit (0)"),
        Scenario("A18", "i30 n3 iL1", "S I S", "0: S→R · 30: I→R · 60: S→S", .successful, ""),
        Scenario("A19", "i30 n3 iL3", "I I I", "0: I→R · 30: I→R · 60: I→S", .successful, ""),
        Scenario(
            "A20", "i10 n3 iL1", "I S I", "0: I→R · 10: S→R · 20: I→I", .inconclusive,
            "m: inconclusive (2) > inconclusiveLimit (1)"),
        Scenario("A21", "i30 n3", "S E E S S", "0: S→R · 30: E→R · 40: E→R · 50: S→R · 80: S→S", .successful, ""),
        Scenario("A22", "i30 n2 eL1", "E S E S", "0: E→R · 10: S→R · 40: E→R · 50: S→S", .successful, ""),
        Scenario(
            "A23", "i30 n2 eL1", "S E E", "0: S→R · 30: E→R · 40: E→E", .error,
            "m: consecutiveErrors (2) > consecutiveErrorLimit (1) +«boom»"),
        Scenario(
            "A24", "i10 n2 eL2", "E E S E E E", "0: E→R · 10: E→R · 20: S→R · 30: E→R · 40: E→R · 50: E→E", .error,
            "m: consecutiveErrors (3) > consecutiveErrorLimit (2) +«boom»"),
        Scenario("A25", "i5 n2", "E S S", "0: E→R · 10: S→R · 15: S→S", .successful, ""),
        Scenario("A26", "i1h n2", "E S S", "0: E→R · 10: S→R · 3610: S→S", .successful, ""),
        Scenario("A27", "n1", "S", "0: S→S", .successful, ""),
        Scenario("A28", "n-1 fL0", "S", "0: S→S", .successful, ""),
        Scenario("A29", "i10 n0", "S", "0: S→R · 10: S→R · 20: S→R", .running, ""),
        Scenario("A30", "i10", "S S F", "0: S→R · 10: S→R · 20: F→F", .failed, "m: failed (1) > failureLimit (0)"),
    ]

    static let limits: [Scenario] = [
        Scenario("A31", "i10 fL-1 sL2", "S F F S S", "0: S→R · 10: F→R · 20: F→R · 30: S→R · 40: S→S", .successful, ""),
        Scenario("A32", "i10 n4 fL2 sL2", "F S S", "0: F→R · 10: S→R · 20: S→S", .successful, ""),
        Scenario("A33", "i10 n4 fL2 sL2", "S F S F", "0: S→R · 10: F→R · 20: S→R · 30: F→I", .inconclusive, ""),
        Scenario(
            "A34", "i10 n4 fL2 sL2", "F S F F", "0: F→R · 10: S→R · 20: F→R · 30: F→F", .failed,
            "m: failed (3) > failureLimit (2)"),
        Scenario("A35", "i10 n3 fL-1 sL2", "S F S", "0: S→R · 10: F→R · 20: S→F", .failed, ""),
        Scenario("A36", "i10 n4 sL2", "S E S S", "0: S→R · 10: E→R · 20: S→R · 30: S→S", .successful, ""),
        Scenario("A37", "i10 fL5 iL5 sL2", "S I S S", "0: S→R · 10: I→R · 20: S→R · 30: S→S", .successful, ""),
        Scenario("A38", "i10 n3 sL3", "S S S", "0: S→R · 10: S→R · 20: S→S", .successful, ""),
        Scenario("A39", "n1 sL1", "F", "0: F→F", .failed, "m: failed (1) > failureLimit (0)"),
        Scenario(
            "A40", "i10 n5 fL2 iL2 sL3", "S S I S S", "0: S→R · 10: S→R · 20: I→R · 30: S→R · 40: S→I", .inconclusive,
            ""),
        Scenario(
            "A41", "i10 n9 fL1 iL1", "F I F", "0: F→R · 10: I→R · 20: F→F", .failed, "m: failed (2) > failureLimit (1)"),
        Scenario(
            "A42", "i10 n9 fL1 eL1", "F E E", "0: F→R · 10: E→R · 20: E→E", .error,
            "m: consecutiveErrors (2) > consecutiveErrorLimit (1) +«boom»"),
    ]

    static let conditions: [Scenario] = [
        Scenario("A43", "sC `result > 0.9`", "0.95", "0: S→S", .successful, ""),
        Scenario("A44", "sC `result > 0.9`", "0.5", "0: F→F", .failed, "m: failed (1) > failureLimit (0)"),
        Scenario("A45", "fC `result > 5`", "3", "0: S→S", .successful, ""),
        Scenario("A46", "fC `result > 5`", "7", "0: F→F", .failed, "m: failed (1) > failureLimit (0)"),
        Scenario(
            "A47", "sC `result >= 95` fC `result < 90`", "92", "0: I→I", .inconclusive,
            "m: inconclusive (1) > inconclusiveLimit (0)"),
        Scenario(
            "A48", "sC `result >= 5` fC `result >= 5`", "7", "0: F→F", .failed, "m: failed (1) > failureLimit (0)"),
        Scenario("A49", "–", "0", "0: S→S", .successful, ""),
        Scenario("A50", "sC `result >= 0.9`", "NaN", "0: F→F", .failed, "m: failed (1) > failureLimit (0)"),
        Scenario("A51", "fC `result < 0.9`", "NaN", "0: S→S", .successful, ""),
        Scenario(
            "A52", "sC `result >= 0.9` fC `result < 0.9`", "NaN", "0: I→I", .inconclusive,
            "m: inconclusive (1) > inconclusiveLimit (0)"),
        Scenario("A53", "sC `isNaN(result) || result >= 0.9`", "NaN", "0: S→S", .successful, ""),
        Scenario(
            "A54", "eL0 sC `result[0] >= 0.9`", "[]", "0: E→E", .error,
            #"m: consecutiveErrors (1) > consecutiveErrorLimit (0) +«could not evaluate successCondition "result[0] >= 0.9": ⟨no data⟩»"#
        ),
        Scenario("A55", "sC `len(result) == 0 || result[0] >= 0.9`", "[]", "0: S→S", .successful, ""),
        Scenario(
            "A56", "eL0 sC `result > 1`", "nil", "0: E→E", .error,
            #"m: consecutiveErrors (1) > consecutiveErrorLimit (0) +«could not evaluate successCondition "result > 1": ⟨no data⟩»"#
        ),
        Scenario("A57", "sC `default(result, 0) < 1`", "nil", "0: S→S", .successful, ""),
        Scenario(
            "A58", "eL0 sC `result + 1`", "1", "0: E→E", .error,
            #"m: consecutiveErrors (1) > consecutiveErrorLimit (0) +«could not evaluate successCondition "result + 1": expected bool, but got float64»"#
        ),
        Scenario(
            "A59", "eL0 sC `result >`", "1", "0: E→E", .error,
            #"m: consecutiveErrors (1) > consecutiveErrorLimit (0) +«could not evaluate successCondition "result >": unexpected token EOF»"#
        ),
        Scenario("A60", "sC `result.ok == true`", #"{"ok":true}"#, "0: S→S", .successful, ""),
        Scenario(
            "A61", "eL0 sC `result.rate > 1`", #"{"ok":true}"#, "0: E→E", .error,
            #"m: consecutiveErrors (1) > consecutiveErrorLimit (0) +«could not evaluate successCondition "result.rate > 1": invalid operation: <nil> > int»"#
        ),
        Scenario("A62", "i10 n2 fL1 sC `result >= 0.9`", "0.5 0.95", "0: F→R · 10: S→S", .successful, ""),
        Scenario(
            "A63", "i10 n2 sC `result[0] >= 0.9`", "[] [0.95] [0.97]", "0: E→R · 10: S→R · 20: S→S", .successful, ""),
    ]

    static let several: [Scenario] = [
        Scenario("A64", "a: –; b: –", "a: S; b: S", "0: a S→S, b S→S ⇒ S", .successful, ""),
        Scenario("A65", "a: –; b: –", "a: S; b: F", "0: a S→S, b F→F ⇒ F", .failed, "b: failed (1) > failureLimit (0)"),
        Scenario("A66", "a: –; b: –", "a: F; b: I", "0: a F→F, b I→I ⇒ F", .failed, "a: failed (1) > failureLimit (0)"),
        Scenario(
            "A67", "a: eL0; b: –", "a: E; b: F:bad", "0: a E→E, b F→F ⇒ F", .failed,
            "b: failed (1) > failureLimit (0) +«bad»"),
        Scenario(
            "A68", "a: –; b: eL0", "a: I; b: E", "0: a I→I, b E→E ⇒ E", .error,
            "b: consecutiveErrors (1) > consecutiveErrorLimit (0) +«boom»"),
        Scenario(
            "A69", "a: –; b: –", "a: F:x; b: F:y", "0: a F→F, b F→F ⇒ F", .failed,
            "a: failed (1) > failureLimit (0) +«x»"),
        Scenario(
            "A70", "a: –; b: –; c: eL0", "a: I; b: F; c: E", "0: a I→I, b F→F, c E→E ⇒ F", .failed,
            "b: failed (1) > failureLimit (0)"),
        Scenario(
            "A71", "a: i10; b: i15", "a: S F; b: S",
            "0: a S→R, b S→R ⇒ R · 10: a F→F, b S→R ⇒ R · 10′: a F→F, b S→S ⇒ F", .failed,
            "a: failed (1) > failureLimit (0)"),
        Scenario(
            "A72", "a: –; b: i10", "a: F; b: F", "0: a F→F, b F→F ⇒ F", .failed, "a: failed (1) > failureLimit (0)"),
        Scenario(
            "A73", "a: –; b: i10 n3 fL1", "a: F; b: F", "0: a F→F, b F→R ⇒ R · 0′: a F→F, b F→S ⇒ F", .failed,
            "a: failed (1) > failureLimit (0)"),
        Scenario(
            "A74", "a: –; d: d60", "a: F", "0: a F→F ⇒ R · 0′: a F→F ⇒ F", .failed, "a: failed (1) > failureLimit (0)"),
        Scenario("A75", "a: –; d: d60", "a: S; d: S", "0: a S→S ⇒ R · 60: a S→S, d S→S ⇒ S", .successful, ""),
        Scenario(
            "A76", "a: i20 n2; b: i30 n2", "a: S; b: S",
            "0: a S→R, b S→R ⇒ R · 20: a S→S, b S→R ⇒ R · 30: a S→S, b S→S ⇒ S", .successful, ""),
        Scenario(
            "A77", "a: i20; b: i30 n2", "a: S; b: S",
            "0: a S→R, b S→R ⇒ R · 20: a S→R, b S→R ⇒ R · 30: a S→R, b S→S ⇒ R · 40: a S→R, b S→S ⇒ R · 60: a S→R, b S→S ⇒ R",
            .running, ""),
        Scenario(
            "A78", "a: i10; b: –", "a: S; b: I", "0: a S→R, b I→I ⇒ R · 0′: a S→S, b I→I ⇒ I", .inconclusive,
            "b: inconclusive (1) > inconclusiveLimit (0)"),
        Scenario(
            "A79", "a: i10; b: i10 eL0", "a: S E; b: E", "0: a S→R, b E→E ⇒ R · 0′: a S→S, b E→E ⇒ E", .error,
            "b: consecutiveErrors (1) > consecutiveErrorLimit (0) +«boom»"),
        Scenario(
            "A80", "a: i10; d: d30", "a: S F; d: S", "0: a S→R ⇒ R · 10: a F→F ⇒ R · 10′: a F→F ⇒ F", .failed,
            "a: failed (1) > failureLimit (0)"),
        Scenario(
            "A81", "a: i10; m: i10 n3 fL-1 sL2", "a: S; m: S F S",
            "0: a S→R, m S→R ⇒ R · 10: a S→R, m F→R ⇒ R · 20: a S→R, m S→F ⇒ R · 20′: a S→S, m S→F ⇒ F", .failed, ""),
        Scenario(
            "A82", "a: i10 n3 fL-1 sL2; b: iL0", "a: S F S; b: S",
            "0: a S→R, b S→S ⇒ R · 10: a F→R, b S→S ⇒ R · 20: a S→F, b S→S ⇒ F", .failed, ""),
        Scenario(
            "A83", "b: –; a: n1 fL-1 sL1", "b: I; a: F", "0: b I→I, a F→F ⇒ F", .failed,
            "b: inconclusive (1) > inconclusiveLimit (0)"),
        Scenario(
            "A84", "a: –; b: i10 eL4", "a: F; b: E", "0: a F→F, b E→R ⇒ R · 0′: a F→F, b E→S ⇒ F", .failed,
            "a: failed (1) > failureLimit (0)"),
    ]

    static let inFlight: [Scenario] = [
        Scenario("A85", "–", "R5 R5 S", "0: R→R · 10: S→S", .successful, ""),
        Scenario("A86", "–", "R5 F", "0: R→R · 5: F→F", .failed, "j: failed (1) > failureLimit (0)"),
        Scenario("A87", "–", "R5 E:job not found S", "0: R→R · 5: E→R · 15: S→S", .successful, ""),
        Scenario("A88", "i10 n2", "R5 S R5 S", "0: R→R · 5: S→R · 15: R→R · 20: S→S", .successful, ""),
        Scenario("A89", "–", "R5 I", "0: R→R · 5: I→I", .inconclusive, "j: inconclusive (1) > inconclusiveLimit (0)"),
        Scenario("A90", "d0", "S", "0: ∅ · 0′: S→S", .successful, ""),
        Scenario("A91", "d30 i10 n2", "S", "0: ∅ · 30: S→R · 40: S→S", .successful, ""),
        Scenario("A92", "i0 n2", "S", "0: S→R · 0′: S→S", .successful, ""),
        Scenario(
            "A93", "a: i10; j: –", "a: S F; j: R60",
            "0: a S→R, j R→R ⇒ R · 10: a F→F, j R→R ⇒ R · 10′: a F→F, j Iᵗ→I ⇒ F", .failed,
            "a: failed (1) > failureLimit (0)"),
        Scenario(
            "A94", "ts: i10 fL1; b: –", "ts: R60; b: F", "0: ts R→R, b F→F ⇒ R · 0′: ts Sᵗ→S, b F→F ⇒ F", .failed,
            "b: failed (1) > failureLimit (0)"),
        Scenario("A95", "–", "R60; T@7", "0: R→R · 7: Sᵗ→S", .successful, "Run Terminated"),
        Scenario(
            "A96", "–", "R60; T@7", "0: R→R · 7: Iᵗ→I", .inconclusive,
            "j: inconclusive (1) > inconclusiveLimit (0) +«Metric Terminated»"),
        Scenario("A97", "iL1", "R60; T@7", "0: R→R · 7: Iᵗ→S", .successful, "Run Terminated"),
        Scenario("A98", "i10", "S; T@15", "0: S→R · 10: S→R · 15: S→S", .successful, "Run Terminated"),
        Scenario("A99", "d60", "–; T@5", "0: ∅ · 5: ∅", .successful, "Run Terminated"),
        Scenario("A100", "i10 fL1", "S F; T@15", "0: S→R · 10: F→R · 15: F→S", .successful, "Run Terminated"),
        Scenario("A101", "i10", "E; T@5", "0: E→R · 5: E→S", .successful, "Run Terminated"),
        Scenario("A102", "i10", "S; T@0", "0: ∅", .successful, "Run Terminated"),
        Scenario(
            "A103", "i10 n5 fL1 sL2", "S F S; T@25", "0: S→R · 10: F→R · 20: S→R · 25: S→S", .successful,
            "Run Terminated"),
        Scenario(
            "A104", "x: i10; d: d30", "x: S; d: S; T@15", "0: x S→R ⇒ R · 10: x S→R ⇒ R · 15: x S→S ⇒ S", .successful,
            "Run Terminated"),
    ]

    static let dryRuns: [Scenario] = [
        Scenario("A105", "a: –; b: –", "a: S; b: F:bad; dryRun b", "0: a S→S, b F→F ⇒ S", .successful, ""),
        Scenario("A106", "–", "F; dryRun a", "0: F→F", .successful, ""),
        Scenario("A107", "a: –; b: –", "a: F; b: F; dryRun .*", "0: a F→F, b F→F ⇒ S", .successful, ""),
        Scenario(
            "A108", "a: i10 n2; b: –", "a: S; b: I; dryRun b", "0: a S→R, b I→I ⇒ R · 10: a S→S, b I→I ⇒ S",
            .successful, ""),
        Scenario(
            "A109", "a: –; b: i10", "a: S; b: S; dryRun b",
            "0: a S→S, b S→R ⇒ R · 10: a S→S, b S→R ⇒ R · 20: a S→S, b S→R ⇒ R", .running, ""),
        Scenario(
            "A110", "a: –; b: i10", "a: F; b: S; dryRun b", "0: a F→F, b S→R ⇒ R · 0′: a F→F, b S→S ⇒ F", .failed,
            "a: failed (1) > failureLimit (0)"),
        Scenario(
            "A111", "latency: –; a: –", "latency: F; a: F; dryRun a", "0: latency F→F, a F→F ⇒ S", .successful, ""),
        Scenario("A112", "a: –; b: eL0", "a: S; b: E; dryRun b", "0: a S→S, b E→E ⇒ S", .successful, ""),
    ]
}
