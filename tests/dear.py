"""What `--quick` leaves out: tests that train for long, start many programs, or wait.

A test stands here when it takes more than half a second of a processor's time, or waits for more
than one; of a file without names, all do or nearly all.
"""

from __future__ import annotations

DEAR: dict[str, tuple[str, ...]] = {
    "base/test_folders_checksums.py": ("test_a_document_that_came_back_from_a_file_is_whole",),
    "base/test_machine.py": (
        "test_a_scan_leaves_no_pages_behind",
        "test_an_epoch_of_windows_leaves_few_pages_behind",
    ),
    "cli/test_bad_input.py": (),
    "cli/test_blast.py": (),
    "cli/test_blast_library.py": (),
    "cli/test_blast_protein.py": (),
    "cli/test_chat.py": (),
    "cli/test_chat_terminal.py": (),
    "cli/test_commands.py": (),
    "cli/test_common_options.py": ("test_training_and_scoring_have_them_too",),
    "cli/test_console.py": (),
    "cli/test_held_out.py": (),
    "cli/test_inspect.py": ("test_the_table_names_units_and_the_files_are_written",),
    "cli/test_leaving.py": (),
    "cli/test_music.py": (),
    "cli/test_pipes.py": (),
    "cli/test_progress.py": (),
    "cli/test_python.py": (),
    "cli/test_report.py": ("test_a_run_has_a_verdict_in_its_summary_and_on_its_page",),
    "cli/test_run.py": (),
    "cli/test_run_attention.py": (),
    "cli/test_run_distributed.py": (),
    "cli/test_run_init.py": (),
    "cli/test_run_labels.py": (),
    "cli/test_run_words.py": (),
    "cli/test_sample_output.py": (),
    "cli/test_sweep.py": (),
    "cli/test_tasks.py": (),
    "cli/test_tasks_genes.py": (),
    "core/data/test_batches.py": (
        "test_an_epoch_reads_nearly_everything_whatever_the_lengths_of_records",
        "test_starts_of_records_are_found_however_long_the_array_is",
    ),
    "core/data/test_ingest.py": (
        "test_a_record_in_blocks_is_the_record",
        "test_identical_records_are_never_on_both_sides",
        "test_whole_records_come_back_each_from_its_start_symbol_to_its_end_symbol",
    ),
    "core/data/test_overlap.py": ("test_the_share_is_that_of_a_plain_count",),
    "core/data/test_split.py": (
        "test_a_cluster_is_never_parted_and_each_part_gets_its_share",
        "test_every_symbol_outside_a_gap_belongs_to_exactly_one_part",
    ),
    "core/evaluation/test_adaptive_likelihood.py": (
        "test_a_model_that_adapts_knows_the_end_of_a_play_better",
        "test_it_is_the_papers_update_and_the_model_stays_as_it_was",
    ),
    "core/evaluation/test_ngram.py": ("test_a_fly_chromosome_costs_what_was_measured_before",),
    "core/evaluation/test_viterbi.py": ("test_compiled_and_interpreted_are_the_same",),
    "core/inspection/test_ranking.py": (
        "test_auc_is_mann_and_whitneys_of_the_steps",
        "test_r_is_pearsons_where_the_annotation_is_known",
    ),
    "core/inspection/test_trace.py": ("test_what_is_large_lies_in_files_that_go_with_it",),
    "core/kernels/test_kernel_cache.py": (),
    "core/memory/test_memory_file.py": (
        "test_a_small_memory_is_a_small_file_that_gives_the_same_bits",
        "test_several_memories_are_one_file_that_says_how_many",
    ),
    "core/memory/test_several.py": (
        "test_tables_of_any_size_are_used_to_the_last_line",
        "test_the_laws_hold",
    ),
    "core/memory/test_symbol_memory.py": ("test_no_index_is_outside",),
    "core/memory/test_symbol_streams.py": ("test_interpreted_and_checked_they_give_the_same_bits",),
    "core/memory/test_symbol_streams_restored.py": ("test_what_was_saved_comes_back",),
    "core/model/test_attention.py": (
        "test_it_copies_over_a_distance_that_the_bare_cell_does_not_hold",
        "test_windows_shorter_than_that_of_attention_come_to_the_same",
    ),
    "core/model/test_char_rnn.py": ("test_dropout_keeps_the_mean_and_falls_away_without_noise",),
    "core/model/test_checkpoint.py": (),
    "core/model/test_ngram.py": ("test_all_symbols_together_are_certain_and_one_by_one_the_same",),
    "core/output/test_writer.py": (
        "test_memory_does_not_grow_with_the_samples",
        "test_what_was_written_after_the_note_is_written_again",
    ),
    "core/sampling/test_beam.py": ("test_a_sequence_ends_with_what_was_asked_for",),
    "core/sampling/test_copy_limit.py": (
        "test_interpreted_and_checked_it_forbids_the_same",
        "test_no_sample_has_a_longer_copy_than_the_limit",
    ),
    "core/sampling/test_engine.py": (
        "test_a_models_kernel_is_compiled_before_the_model_is_read",
        "test_what_draws_with_a_memory_is_compiled_before_the_memory_is_read",
    ),
    "core/sampling/test_logit_filters.py": (
        "test_draws_equal_a_plain_statement_of_the_strategy",
        "test_what_is_drawn_from_equals_the_plain_statement_to_rounding",
    ),
    "core/sampling/test_sampler_batching.py": (
        "test_memory_does_not_grow_with_the_number_of_samples",
    ),
    "core/sampling/test_sampler_frequencies.py": (),
    "core/sampling/test_sampler_infilling.py": (
        "test_many_candidates_give_the_conditional_distribution_of_the_gap",
    ),
    "core/sampling/test_torch_engine.py": (
        "test_the_torch_engine_has_rows_and_calls_that_change_nothing",
    ),
    "core/training/test_diagnosis.py": (),
    "core/training/test_distributed.py": (),
    "core/training/test_example_task.py": (
        "test_a_small_network_learns_a_task_that_can_be_learnt",
    ),
    "core/training/test_scheduled_sampling.py": (
        "test_the_compiled_network_is_torchs_with_the_same_masks",
    ),
    "core/training/test_trainer.py": (
        "test_a_model_reaches_the_entropy_of_the_source",
        "test_a_tiny_model_learns_repeats_below_a_fifth_of_a_bit",
        "test_patience_ends_a_run_that_no_longer_gets_better",
        "test_the_score_is_the_mean_over_all_symbols_in_one_pass",
    ),
    "core/training/test_trainer_optimizer.py": (
        "test_training_does_not_import_torchs_compiler_or_sympy",
    ),
    "domains/genome/ebi/test_backend.py": ("test_proteins_are_searched_with_blastp",),
    "domains/genome/ebi/test_job_runner_killed.py": (),
    "domains/genome/ebi/test_job_runner_limits.py": (),
    "domains/genome/ebi/test_job_runner_results.py": (
        "test_what_breaks_while_results_come_is_mended_one_by_one",
    ),
    "domains/genome/ebi/test_job_store.py": ("test_what_was_committed_survives_a_kill",),
    "domains/genome/ebi/test_transport.py": (),
    "domains/genome/genes/test_tuning.py": ("test_tuning_makes_it_better",),
    "domains/genome/memory/test_counting.py": (
        "test_direct_counts_are_those_of_both_strands",
        "test_hashed_contexts_know_what_followed_them",
    ),
    "domains/genome/memory/test_genome_memory.py": ("test_no_index_is_outside",),
    "domains/genome/memory/test_streams.py": (
        "test_interpreted_and_checked_they_give_the_same_bits",
    ),
    "domains/genome/similarity/test_backends_blastn.py": (),
    "domains/genome/similarity/test_backends_killed.py": (),
    "domains/genome/similarity/test_blastplus.py": ("test_a_program_that_takes_too_long_is_ended",),
    "domains/genome/similarity/test_control_comparison_mann_whitney.py": (
        "test_the_least_p_is_the_least_of_all_ways_to_deal_the_same_values_out",
    ),
    "domains/genome/similarity/test_evalues_calibration.py": (),
    "domains/genome/similarity/test_finite_size.py": (
        "test_bits_and_e_values_are_those_that_blastp_prints",
        "test_no_hit_is_above_the_limit_and_the_best_comes_first",
        "test_the_hits_are_blastps_or_better",
        "test_the_table_names_blastp_and_counts_residues",
    ),
    "domains/genome/similarity/test_null_models.py": (
        "test_every_kmer_up_to_k_is_kept_with_the_ends",
    ),
    "domains/genome/test_annotations.py": ("test_codons_of_the_fly_end_in_g_or_c_most_often",),
    "domains/genome/test_composition.py": ("test_long_copies_are_found_across_many_blocks",),
    "domains/genome/test_fasta.py": (
        "test_a_long_contig_comes_in_blocks",
        "test_whatever_the_blocks_a_file_reads_as_it_would_letter_by_letter",
    ),
    "domains/genome/test_fasta_scale.py": (),
    "domains/genome/test_genbank.py": ("test_a_mutated_file_gives_records_or_one_sentence",),
    "domains/genome/test_inverted_repeats.py": (
        "test_it_is_the_formula_and_its_order_is_the_best_on_the_valid_part",
        "test_the_compiled_kernels_do_what_python_does",
    ),
    "domains/genome/test_nucleotides_dust.py": ("test_intervals_are_dustmaskers_on_anything",),
    "domains/genome/test_search_controlled.py": (),
    "domains/music/abc/test_continuation.py": ("test_a_continuation_of_a_melody_is_new",),
    "domains/music/abc/test_grammar.py": (),
    "domains/music/abc/test_parser.py": (
        "test_a_symbol_takes_a_few_steps",
        "test_cleaning_the_corpus_again_changes_nothing_and_hides_nothing",
        "test_pitches_are_those_of_abc2midi",
        "test_written_melodies_sound_as_before",
    ),
    "domains/music/abc/test_writer.py": ("test_what_is_written_has_no_warning",),
    "domains/music/midi/test_midi_file_damage.py": (
        "test_mutated_files_give_notes_or_an_input_error",
    ),
    "domains/music/musicxml/test_reader.py": (
        "test_an_archive_that_lies_about_its_size_is_read_no_further_than_the_limit",
    ),
    "domains/music/musicxml/test_writer.py": (),
    "domains/music/render/test_audio.py": (),
    "domains/music/render/test_engraving.py": (),
    "domains/music/render/test_listening_page.py": ("test_a_browser_plays_it_and_asks_nobody",),
    "domains/music/render/test_piano_roll.py": ("test_any_sample_at_all_may_be_shown",),
    "domains/music/render/test_pieces_in_print.py": (
        "test_a_long_score_is_on_the_page_of_its_heading",
    ),
    "domains/music/test_domain_round_trips.py": (),
    "domains/music/test_event_codec.py": ("test_real_files_survive_text_and_midi",),
    "domains/music/test_keys.py": (),
    "domains/music/test_memory.py": ("test_the_laws_hold",),
    "domains/music/test_primer.py": ("test_any_real_file_is_gone_on_from",),
    "domains/music/test_report_closeness.py": (
        "test_closeness_is_scipys_kolmogorov_smirnov_distance_from_one",
    ),
    "domains/music/test_report_features.py": ("test_the_key_found_is_the_one_that_music21_finds",),
    "domains/music/test_tune_variants.py": (
        "test_a_tune_in_two_keys_is_one_tune_in_both_codes",
        "test_no_held_out_tune_of_the_books_shares_a_long_run_with_one_trained_on",
    ),
    "domains/music/test_tune_variants_copied.py": (
        "test_a_million_intervals_and_the_worst_of_tunes_take_few_steps",
    ),
    "domains/test_as_drawn.py": ("test_a_file_is_its_pieces_one_after_the_other",),
    "domains/text/test_memory.py": (
        "test_no_index_is_outside_where_contexts_share_check_words",
        "test_text_with_bars_has_contexts_of_bars",
        "test_the_laws_hold",
    ),
    "domains/text/test_word_domain.py": ("test_the_memory_is_that_of_any_symbols",),
    "experiments/test_counting.py": ("test_a_trial_repeats_and_the_page_has_every_cell",),
    "experiments/test_greff.py": ("test_a_trial_says_the_same_twice_and_training_helps",),
    "experiments/test_memory_length.py": ("test_every_cell_learns_to_copy",),
    "experiments/test_runner.py": (),
    "faults/test_faults.py": (),
    "reporting/test_inspect_page.py": (),
    "reporting/test_page.py": ("test_a_browser_shows_it",),
    "reporting/test_page_in_browser.py": (),
    "runs/sweep/test_study.py": (
        "test_a_claim_that_was_killed_half_way_is_completed",
        "test_the_same_seed_draws_the_same_and_another_others",
        "test_what_the_first_trials_came_to_moves_the_later_ones",
    ),
    "runs/test_all_recipes.py": (),
    "runs/test_excerpt.py": ("test_it_is_the_beginning_of_the_test_part_with_its_bits",),
    "runs/test_folder_memory.py": (),
    "runs/test_inspect.py": (),
    "runs/test_load_inputs_cache.py": (
        "test_a_cache_that_is_removed_while_a_run_works_does_not_end_it",
    ),
    "runs/test_memory.py": (
        "test_a_genomes_memory_that_was_prepared_waits_for_no_kernel",
        "test_a_memory_that_was_prepared_waits_for_no_kernel",
        "test_evaluate_scores_a_memory_that_has_read_the_first_half",
        "test_every_kind_of_symbols_has_a_memory",
    ),
    "runs/test_memory_effort.py": (),
    "runs/test_pipeline_resuming.py": (),
    "runs/test_sample.py": (
        "test_samples_of_several_temperatures_share_no_random_numbers",
        "test_samples_with_the_memory_are_measured_beside_the_same_draws_without",
    ),
    "runs/test_sample_training_data.py": (
        "test_a_run_whose_input_has_changed_says_what_to_do",
        "test_samples_of_a_run_lead_to_what_it_held_out",
        "test_samples_that_lie_elsewhere_have_no_run",
    ),
    "runs/test_spelled.py": (
        "test_text_longer_than_compressors_may_see_does_not_make_words_cheaper",
    ),
    "runs/test_tensorboard.py": (),
    "test_benchmarks.py": (),
    "test_music_benchmarks.py": (),
    "test_mutations.py": (),
    "test_package.py": (),
    "test_plugin.py": (),
}
"""Files in this folder; the tests of each that are left out, or none for the whole file."""


def is_dear(file: str, test: str = "") -> bool:
    """A file, as in `DEAR`, and a test of it in, whether it is left out.

    Without a test: whether the whole file is.
    """
    return file in DEAR and (not DEAR[file] or test in DEAR[file])
