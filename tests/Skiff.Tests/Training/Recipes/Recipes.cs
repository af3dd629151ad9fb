using Skiff.Training;

namespace Skiff.Tests.Training.Recipes;

/// <summary>Recipes that the tests start from.</summary>
internal static class Recipes
{
    /// <summary>The least that is a recipe: 1,000 steps of 8,192 tokens.</summary>
    public const string Least =
        """
        model:
          model_type: llama
          hidden_size: 64
        tokenizer: tok.json
        data:
          - files: a.txt
        steps: 1000
        """;

    /// <summary>Every key, none at its default: 2,442 steps of 8,192 tokens, 200 of decay.</summary>
    public const string Whole =
        """
        output: "runs/a: b"
        seed: 7
        model:
          base: zoo:smollm2-135m
          hidden_size: 256
          rms_norm_eps: 1e-6
          rope_scaling: {rope_type: "yarn", factor: 4.0, names: ["1", true, null, "true", 2]}
          tie_word_embeddings: false
        tokenizer: {vocab_size: 4K, special_tokens: ["<|user|>"], chat_template: chatml}
        data:
          - name: books
            files: ["a.jsonl.gz", "dir/", "x/*.parquet"]
            weight: 3
          - name: chat
            files: c.jsonl
            weight: 0.5
            format: chat
        held_out: 0.02
        context_length: 512
        batch_size: 16
        micro_batch_size: 4
        document_mask: false
        tokens: 20M
        anchors: {kind: endpoint, unit: line, end_tokens: [";"], anchors_see_anchors: true, anchors_per_segment: 2, segments_per_group: 4, max_segment: 48, sinks: 4, last_visible: 32, full_share: 0.25, init: stop}
        distill: {teacher: t.gguf, loss: reverse_kl, temperature: 2, top_k: 64, label_weight: 0.5, cache: t.top, teacher_rate: 0.2, states: [embedding, "5:1"]}
        parametrization: {form: mup, init_std: 0.05, base_width: 128, scale_emb: 10, scale_depth: 1, embed_as_hidden: false}
        optimizer:
          name: muon
          learning_rate: 0.004
          beta1: 0.8
          beta2: 0.99
          epsilon: 1e-9
          weight_decay: 0.2
          clip: 0.5
          muon_learning_rate: 0.03
          muon_momentum: 0.9
          groups:
            - {match: "embedding.*", learning_rate_scale: 2, weight_decay: 0}
            - {match: "*.bias"}
        schedule: {form: wsd, warmup_steps: 12, decay_steps: 200, decay: exponential, half_life: 300, floor: 0.1}
        stages:
          - {from: 10M, context_length: 1024, rope_theta: 50000}
          - from: decay
            mixture: {books: 1, chat: 2}
            learning_rate_scale: 0.5
          - {from: 19M, schedule: {form: linear, warmup_steps: 3, floor: 0.2}}
        experts: {balance: 0.02, z: 0.002}
        recompute: true
        round_to: q4_0
        validation: {every: 50, tokens: 10K}
        checkpoint: {every: 400, keep: 3, best: false}
        samples: {every: 300, prompts: ["", "Zwei\n\u00e4 \U0001F600", "- x"], max_tokens: 32, temperature: 0}
        watchdog: {spike: 2, patience: 40}
        """;

    /// <summary>A recipe that continues a model.</summary>
    public const string Tuning =
        """
        init_from: runs/base/step-000500
        data: [{files: [c.jsonl], format: chat}]
        tokens: 1.5M
        schedule: {form: cosine, floor: 0.1}
        lora: {rank: 4, alpha: 8, modules: [query, key, value]}
        """;

    public static Recipe Parse(string yaml, params string[] sets) => Recipe.Parse(yaml, "recipes/books.v1.yaml", sets);
}
