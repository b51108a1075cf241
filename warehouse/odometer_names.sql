-- odometer_names(): every name under which an odometer comes: those that `signal_catalogue` has for the Telemetry API's
-- `powertrainTransmissionTravelledDistance`.
CREATE MACRO odometer_names() AS [
    'odometer', 'powertrainTransmissionTravelledDistance', 'vehicle_state.odometer', 'Odometer', 'labels.odometer.value',
    'signals.645', 'signals.114'
];
