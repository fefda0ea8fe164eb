"""The laws, each a function of one trial: `laws.frames_do_not_leak(Trial.of(block, stream=stream, cue=cue))`."""

from ..law import in_order as in_order
from .adapters import AdapterTrial as AdapterTrial
from .adapters import cue_sufficiency as cue_sufficiency
from .adapters import residual_and_maps as residual_and_maps
from .adapters import silent_at_initialisation as silent_at_initialisation
from .adapters import swapping_sides_swaps_outputs as swapping_sides_swaps_outputs
from .adapters import symmetric as symmetric
from .alignments import AlignmentTrial as AlignmentTrial
from .alignments import aligned_to_the_stream as aligned_to_the_stream
from .alignments import fast_equals_direct as fast_equals_direct
from .attention import AttentionTrial as AttentionTrial
from .attention import backends_agree as backends_agree
from .calls import dtype_is_kept as dtype_is_kept
from .calls import inputs_stay as inputs_stay
from .calls import new_values_in_old_memory as new_values_in_old_memory
from .calls import same_call_of_an_encoder_twice as same_call_of_an_encoder_twice
from .calls import same_call_twice as same_call_twice
from .calls import training_is_evaluation as training_is_evaluation
from .calls import zero_frame_stays_finite as zero_frame_stays_finite
from .encoders import EncoderTrial as EncoderTrial
from .encoders import equals_its_sections as equals_its_sections
from .encoders import equals_the_original as equals_the_original
from .encoders import sections_leave_their_stream as sections_leave_their_stream
from .encoders import sections_run_once_and_in_order as sections_run_once_and_in_order
from .encoders import sites_tell_the_truth as sites_tell_the_truth
from .encoders import zero_frame_of_an_encoder as zero_frame_of_an_encoder
from .execution import checkpointed_agrees as checkpointed_agrees
from .execution import compiled_agrees as compiled_agrees
from .frames import each_frame_alone as each_frame_alone
from .frames import each_frame_of_an_encoder_alone as each_frame_of_an_encoder_alone
from .frames import frames_do_not_leak as frames_do_not_leak
from .gradients import gradients_alone as gradients_alone
from .gradients import gradients_are_right as gradients_are_right
from .heard_maps import every_map_is_heard as every_map_is_heard
from .heard_maps import every_map_is_heard_in_the_streams as every_map_is_heard_in_the_streams
from .hearing import cue_is_heard as cue_is_heard
from .hearing import guide_is_heard as guide_is_heard
from .hearing import stream_is_heard as stream_is_heard
from .inputs import bad_input_is_named as bad_input_is_named
from .keeping import built_on_meta as built_on_meta
from .keeping import copies as copies
from .keeping import one_home as one_home
from .keeping import repr_shows_the_sizes as repr_shows_the_sizes
from .keeping import state_dict_round_trip as state_dict_round_trip
from .learning import every_parameter_learns as every_parameter_learns
from .learning import frozen_means_frozen as frozen_means_frozen
from .lockstep import bad_streams_are_named as bad_streams_are_named
from .lockstep import equals_its_encoders as equals_its_encoders
from .lockstep import every_coupler_learns as every_coupler_learns
from .lockstep import every_section_runs_once_a_stream as every_section_runs_once_a_stream
from .lockstep import frozen_encoders_stay as frozen_encoders_stay
from .maps import GuidanceTrial as GuidanceTrial
from .maps import band_equivariance as band_equivariance
from .maps import constancy as constancy
from .maps import range_and_shape as range_and_shape
from .maps import token_permutation as token_permutation
from .memory import memory_layout as memory_layout
from .memory import results_stay as results_stay
from .modulations import factor_lies_in_its_span as factor_lies_in_its_span
from .modulations import weights_of_zero as weights_of_zero
from .pairings import PairingTrial as PairingTrial
from .pairings import coupled_where_sites_agree as coupled_where_sites_agree
from .pairings import pairing_twice as pairing_twice
from .pairings import steps_run_every_section_once as steps_run_every_section_once
from .replacing import replaced_layers_are_heard as replaced_layers_are_heard
from .surroundings import another_device as another_device
from .surroundings import settings_of_torch as settings_of_torch
from .surroundings import weights_stay as weights_stay

EVERY_BLOCK = (
    frames_do_not_leak,
    each_frame_alone,
    every_parameter_learns,
    gradients_are_right,
    gradients_alone,
    checkpointed_agrees,
    compiled_agrees,
    bad_input_is_named,
    state_dict_round_trip,
    copies,
    built_on_meta,
    repr_shows_the_sizes,
    replaced_layers_are_heard,
    one_home,
    inputs_stay,
    same_call_twice,
    new_values_in_old_memory,
    dtype_is_kept,
    zero_frame_stays_finite,
    training_is_evaluation,
    memory_layout,
    results_stay,
    weights_stay,
    settings_of_torch,
    another_device,
)
"""Laws of everything that a factory builds."""
